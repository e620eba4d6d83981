import type { RoomsService, ServiceImpl } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { banUser, listBans, unbanUser } from "./bans.ts";
import type { RoomsContext } from "./context.ts";
import { createRoom, openDirect } from "./create.ts";
import { getRoom, listMembers, listMyRooms, listRooms } from "./lists.ts";
import { joinRoom, leaveRoom, removeMember, setMember } from "./members.ts";
import type { Purge } from "./purge.ts";
import type { Retention } from "./retention.ts";
import { archiveRoom, deleteRoom, updateRoom } from "./settings.ts";

export function createRoomsService(
  context: RoomsContext,
  { purge, retention }: { readonly purge: Purge; readonly retention: Retention },
): ServiceImpl<typeof RoomsService, Call> {
  return {
    createRoom: (request, call) => createRoom(context, request, call),
    openDirect: (request, call) => openDirect(context, request, call),
    listRooms: (request, call) => listRooms(context, request, call),
    listMyRooms: (request, call) => listMyRooms(context, request, call),
    getRoom: (request, call) => getRoom(context, request, call),
    updateRoom: (request, call) => updateRoom(context, request, call, () => retention.start()),
    archiveRoom: (request, call) => archiveRoom(context, request, call),
    deleteRoom: (request, call) => deleteRoom(context, request, call, () => purge.start()),
    joinRoom: (request, call) => joinRoom(context, request, call),
    leaveRoom: (request, call) => leaveRoom(context, request, call),
    listMembers: (request, call) => listMembers(context, request, call),
    setMember: (request, call) => setMember(context, request, call),
    removeMember: (request, call) => removeMember(context, request, call),
    banUser: (request, call) => banUser(context, request, call),
    unbanUser: (request, call) => unbanUser(context, request, call),
    listBans: (request, call) => listBans(context, request, call),
  };
}
