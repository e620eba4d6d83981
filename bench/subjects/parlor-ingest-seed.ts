import type { IngestDoor } from "../generator/orders.ts";
import { apiToken, type Call, caller, signUp } from "./parlor-seed.ts";

/** Rooms, members of each (one of whom publishes), and publishers, who have the rooms in turn. */
export interface IngestShape {
  readonly rooms: number;
  readonly members: number;
  readonly publishers: number;
}

/** Makes the accounts and rooms through the REST API of a running server. */
export async function seedIngest(port: number, shape: IngestShape): Promise<Omit<IngestDoor, "port">> {
  const call = caller(`http://127.0.0.1:${port}/api/v1`);
  const sessions = await Promise.all(Array.from({ length: shape.publishers }, (_, member) => signUp(call, member)));
  const roomIds: string[][] = sessions.map(() => []);
  const listeners: string[] = [];
  for (let room = 0; room < shape.rooms; room++) {
    const publisher = room % shape.publishers;
    const roomId = await newRoom(call, sessions[publisher] as string, room);
    roomIds[publisher]?.push(roomId);
    const numbers = Array.from({ length: shape.members - 1 }, (_, member) => shape.publishers + room * shape.members + member);
    listeners.push(...(await Promise.all(numbers.map((member) => newListener(call, roomId, member)))));
  }
  const tokens = await Promise.all(sessions.map((session) => apiToken(call, session)));
  const publishers = tokens.map((token, index) => ({ token, roomIds: roomIds[index] ?? [] }));
  return { publishers, listeners, listenersPerRoom: shape.members - 1 };
}

async function newRoom(call: Call, owner: string, number: number): Promise<string> {
  return (await call<{ room: { id: string } }>("/rooms", { name: `Bench ${number}`, visibility: "PUBLIC" }, owner)).room.id;
}

async function newListener(call: Call, roomId: string, member: number): Promise<string> {
  const session = await signUp(call, member);
  await call(`/rooms/${roomId}/join`, {}, session);
  return apiToken(call, session);
}
