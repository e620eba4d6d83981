import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type GetPresenceRequest,
  type Presence,
  Presence_Status,
  PresenceSchema,
  type PresenceService,
  type ServiceImpl,
} from "@parlor/contract";
import type { Kysely } from "kysely";
import { type Call, callerOf } from "../../domain/call.ts";
import type { Presences } from "../../realtime/presences.ts";
import { sharingRoomWith } from "../../store/members.ts";
import type { Schema } from "../../store/schema.ts";
import { findUsers } from "../../store/users.ts";

export interface PresenceContext {
  readonly store: Kysely<Schema>;
  readonly presences: Presences;
}

export function createPresenceService(context: PresenceContext): ServiceImpl<typeof PresenceService, Call> {
  return {
    getPresence: (request, call) => getPresence(context, request, call),
    setPresence: async ({ status }, call) => ({ presence: context.presences.wish(callerOf(call).userId, status) }),
  };
}

async function getPresence({ store, presences }: PresenceContext, { userIds }: GetPresenceRequest, call: Call) {
  const { userId } = callerOf(call);
  const visible = (await sharingRoomWith(store, userId, userIds)).add(userId);
  const seen = new Map(
    (
      await findUsers(
        store,
        userIds.filter((id) => visible.has(id)),
      )
    ).map((row) => [row.id, row.last_seen_at]),
  );
  return {
    presences: userIds.map((id) =>
      visible.has(id) ? shown(presences.of(id), seen.get(id)) : create(PresenceSchema, { userId: id, status: Presence_Status.OFFLINE }),
    ),
  };
}

function shown(presence: Presence, lastSeenAt: Date | null | undefined): Presence {
  if (presence.status === Presence_Status.OFFLINE && lastSeenAt) presence.lastSeenAt = timestampFromDate(lastSeenAt);
  return presence;
}
