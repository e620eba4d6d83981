// One afternoon of three people. It runs unchanged over every set of protocols; what it notes must be the same each time.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Event,
  Member_Role,
  MessagesService,
  Presence_Status,
  PresenceService,
  Room_Visibility,
  RoomExited_Cause,
  RoomsService,
  type SendMessageResponse,
  User_Role,
  UsersService,
} from "@parlor/contract";
import type { Driver } from "../support/drivers/driver.ts";
import { Transcript } from "../support/transcript.ts";
import { Player } from "./cast.ts";

const rooms = RoomsService.method;
const messages = MessagesService.method;
const nowhere = "01900000-0000-7000-8000-000000000000";
const longAgo = timestampFromMs(0);
const farAhead = timestampFromMs(Date.UTC(2100, 0, 1));

interface Stage {
  readonly driver: Driver;
  readonly transcript: Transcript;
  /** Added to names, so that many runs share one server. */
  readonly suffix: string;
  readonly ada: Player;
  readonly bob: Player;
  readonly cyd: Player;
}

/** Runs the whole scenario; answers what was noted. */
export async function scenario(driver: Driver, suffix: string): Promise<readonly string[]> {
  const transcript = new Transcript(suffix);
  const cast = async (name: string): Promise<Player> => new Player(name, await driver.signUp(`${name}${suffix}`), transcript);
  const stage = { driver, transcript, suffix, ada: await cast("ada"), bob: await cast("bob"), cyd: await cast("cyd") };
  const people = [stage.ada, stage.bob, stage.cyd];
  try {
    for (const player of people) await player.connects();
    await profiles(stage);
    const tea = await aPrivateRoom(stage);
    await talk(stage, tea);
    await repeats(stage, tea);
    await badRequests(stage, tea);
    await outside(stage, tea);
    await rolesAndMutes(stage, tea);
    await slowMode(stage, tea);
    await kickAndReturn(stage, tea);
    await directs(stage);
    const plaza = await aPublicRoom(stage);
    await bans(stage, plaza);
    await theEnd(stage, tea, plaza);
    for (const roomId of [tea, plaza]) for (const player of people) player.noteLog(roomId);
    return transcript.lines;
  } finally {
    for (const player of people) player.person.close();
  }
}

async function profiles({ ada, bob, suffix }: Stage): Promise<void> {
  await ada.does(UsersService.method.updateProfile, { displayName: "Ada L.", bio: "counts" });
  await ada.isRefused(UsersService.method.updateProfile, { displayName: "a\nb", avatarUrl: "ftp://x" });
  await bob.does(UsersService.method.getUser, { userId: ada.id });
  await bob.does(UsersService.method.searchUsers, { query: `ada${suffix}` });
  await bob.isRefused(UsersService.method.getUser, { userId: nowhere });
  await bob.isRefused(UsersService.method.setRole, { userId: ada.id, role: User_Role.GUEST });
}

async function aPrivateRoom({ ada, bob }: Stage): Promise<string> {
  const { room } = await ada.does(rooms.createRoom, { name: "Tea", topic: "leaves", memberIds: [bob.id] });
  const id = room?.id ?? "";
  for (const player of [ada, bob]) {
    await player.hears("roomEntered", id);
    await player.follows(id, 3);
  }
  await bob.does(rooms.getRoom, { roomId: id });
  await bob.does(rooms.listMembers, { roomId: id });
  await ada.does(rooms.updateRoom, { roomId: id, topic: "green leaves" });
  await bob.isRefused(rooms.updateRoom, { roomId: id, topic: "black" });
  return id;
}

async function talk({ ada, bob, cyd }: Stage, roomId: string): Promise<void> {
  const { message: hello } = await bob.says(roomId, "hello", "b1");
  const { message } = await ada.does(messages.sendMessage, { roomId, text: "Hello Bob, wie gehts?", clientMessageId: "a1" });
  const messageId = message?.id ?? "";
  await ada.does(messages.editMessage, { roomId, messageId, text: "Hello Bob, wie geht’s?" });
  await bob.isRefused(messages.editMessage, { roomId, messageId, text: "no" });
  for (const emoji of ["👍", "🫖"]) await bob.does(messages.addReaction, { roomId, messageId, emoji });
  await ada.does(messages.addReaction, { roomId, messageId, emoji: "👍" });
  await bob.does(messages.removeReaction, { roomId, messageId, emoji: "👍" });
  await bob.does(messages.getMessage, { roomId, messageId });
  await bob.isRefused(messages.deleteMessage, { roomId, messageId });
  await bob.does(messages.deleteMessage, { roomId, messageId: hello?.id ?? "" });
  await bob.isRefused(messages.addReaction, { roomId, messageId: hello?.id ?? "", emoji: "👍" });
  await ada.does(messages.listMessages, { roomId });
  await signsOfLife(ada, bob, cyd, roomId);
}

async function signsOfLife(ada: Player, bob: Player, cyd: Player, roomId: string): Promise<void> {
  await bob.does(messages.markRead, { roomId, seq: 5 });
  await bob.hears("readMarked", roomId);
  await bob.live.markRead(roomId, 3);
  await bob.isRefused(messages.markRead, { roomId, seq: 4_000_000 });
  bob.live.typing(roomId);
  await ada.hears("typing", roomId);
  await bob.live.setPresence(Presence_Status.BUSY);
  await ada.hears("presenceChanged");
  await ada.does(PresenceService.method.getPresence, { userIds: [bob.id, cyd.id] });
  await bob.does(PresenceService.method.setPresence, { status: Presence_Status.ONLINE });
}

async function repeats({ ada, transcript }: Stage, roomId: string): Promise<void> {
  await ada.says(roomId, "once", "a2");
  await ada.says(roomId, "once", "a2");
  await ada.does(messages.sendMessage, { roomId, text: "once", clientMessageId: "a2" });
  await ada.isRefused(messages.sendMessage, { roomId, text: "twice", clientMessageId: "a2" });
  await ada.refusedWhen("says otherwise", () => ada.live.send(roomId, "twice", "a2"));
  const send = (way: number): Promise<SendMessageResponse> =>
    way % 2 === 0
      ? ada.live.send(roomId, "at once", "a3")
      : ada.person.call(messages.sendMessage, { roomId, text: "at once", clientMessageId: "a3" });
  const answers = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(send));
  transcript.note("repeats at the same time", {
    first: answers.filter(({ duplicate }) => !duplicate).length,
    ids: [...new Set(answers.map(({ message }) => message?.id))],
    seqs: [...new Set(answers.map(({ message }) => message?.seq))],
  });
}

async function badRequests({ ada }: Stage, roomId: string): Promise<void> {
  await ada.isRefused(messages.sendMessage, { roomId, text: "", clientMessageId: "x".repeat(65) });
  await ada.isRefused(messages.sendMessage, { roomId: "tea", text: "\u200b\u0000", clientMessageId: "a4" });
  await ada.isRefused(messages.sendMessage, { roomId, text: "x".repeat(8001), clientMessageId: "a4" });
  await ada.refusedWhen("says nothing", () => ada.live.send(roomId, " ", "a4"));
  await ada.isRefused(messages.listMessages, { roomId, pageSize: 201 });
  await ada.isRefused(messages.listMessages, { roomId, beforeSeq: 3, afterSeq: 3 });
  await ada.isRefused(messages.listMessages, { roomId, afterSeq: 4_000_000 });
  await ada.isRefused(messages.listMessages, { roomId, pageToken: "made-up" });
  await ada.isRefused(messages.listEvents, { roomId, afterSeq: 4_000_000 });
  await ada.isRefused(messages.getMessage, { roomId, messageId: nowhere });
  await ada.isRefused(messages.addReaction, { roomId, messageId: nowhere, emoji: "tea" });
  await ada.isRefused(rooms.createRoom, { name: "‮evil", visibility: Room_Visibility.DIRECT, slowModeSeconds: 30_000 });
  await ada.isRefused(rooms.createRoom, { name: "Nobody", memberIds: [nowhere] });
}

/** To somebody outside, a private room is like one that does not exist. */
async function outside({ cyd, bob }: Stage, tea: string): Promise<void> {
  for (const roomId of [tea, nowhere]) {
    await cyd.isRefused(rooms.getRoom, { roomId });
    await cyd.isRefused(rooms.joinRoom, { roomId });
    await cyd.isRefused(rooms.setMember, { roomId, userId: cyd.id, role: Member_Role.OWNER });
    await cyd.isRefused(rooms.banUser, { roomId, userId: bob.id });
    await cyd.isRefused(messages.sendMessage, { roomId, text: "let me in", clientMessageId: "c0" });
    await cyd.isRefused(messages.listMessages, { roomId });
    await cyd.isRefused(messages.listEvents, { roomId });
    await cyd.refusedWhen("says", () => cyd.live.send(roomId, "let me in", "c0"));
  }
}

async function rolesAndMutes({ ada, bob, cyd }: Stage, roomId: string): Promise<void> {
  await bob.isRefused(rooms.setMember, { roomId, userId: cyd.id });
  await ada.does(rooms.setMember, { roomId, userId: bob.id, role: Member_Role.MODERATOR });
  await bob.does(rooms.setMember, { roomId, userId: cyd.id });
  await cyd.hears("roomEntered", roomId);
  await cyd.follows(roomId, 16);
  await bob.isRefused(rooms.setMember, { roomId, userId: cyd.id, role: Member_Role.OWNER });
  await bob.isRefused(rooms.removeMember, { roomId, userId: ada.id });
  await bob.does(rooms.setMember, { roomId, userId: cyd.id, role: Member_Role.READ_ONLY });
  await cyd.isRefused(messages.sendMessage, { roomId, text: "may I?", clientMessageId: "c1" });
  await cyd.does(messages.listMessages, { roomId, pageSize: 2 });
  await bob.does(rooms.setMember, { roomId, userId: cyd.id, role: Member_Role.MEMBER, mutedUntil: farAhead });
  await cyd.refusedWhen("says", () => cyd.live.send(roomId, "may I?", "c1"));
  await bob.does(rooms.setMember, { roomId, userId: cyd.id, mutedUntil: longAgo });
  await cyd.says(roomId, "thank you", "c1");
  await ada.isRefused(rooms.leaveRoom, { roomId });
}

async function slowMode({ bob, cyd }: Stage, roomId: string): Promise<void> {
  await bob.does(rooms.updateRoom, { roomId, slowModeSeconds: 3600 });
  await cyd.says(roomId, "first", "c2");
  await cyd.refusedWhen("says", () => cyd.live.send(roomId, "second", "c3"));
  await cyd.isRefused(messages.sendMessage, { roomId, text: "second", clientMessageId: "c3" });
  await cyd.says(roomId, "first", "c2");
  await bob.says(roomId, "moderators may", "b2");
  await bob.says(roomId, "and again", "b3");
  await bob.does(rooms.updateRoom, { roomId, slowModeSeconds: 0 });
}

/** Cyd is removed; Bob is away, and comes back to edits, a deletion and another member. */
async function kickAndReturn({ ada, bob, cyd }: Stage, roomId: string): Promise<void> {
  await ada.does(rooms.removeMember, { roomId, userId: cyd.id });
  await cyd.hears("roomExited", roomId);
  await cyd.isRefused(messages.listMessages, { roomId });
  await cyd.refusedWhen("says", () => cyd.live.send(roomId, "hello?", "c4"));
  const { message } = await ada.says(roomId, "She is gone.", "a5");
  const last = message?.seq ?? 0;
  await bob.follows(roomId, last);
  bob.noteLog(roomId);
  bob.live.close();
  await ada.does(messages.editMessage, { roomId, messageId: message?.id ?? "", text: "She will be back." });
  const { message: secret } = await ada.says(roomId, "a secret", "a6");
  await ada.does(messages.deleteMessage, { roomId, messageId: secret?.id ?? "" });
  await ada.does(rooms.setMember, { roomId, userId: cyd.id });
  await cyd.live.inbox.find((event) => event.kind.case === "memberJoined" && event.seq > last);
  const { message: back } = await cyd.does(messages.sendMessage, { roomId, text: "I am back", clientMessageId: "c4" });
  await bob.connects([{ roomId, seq: last }]);
  await bob.follows(roomId, back?.seq ?? 0);
  await bob.does(messages.listMessages, { roomId, afterSeq: last });
  await bob.refusedWhen("resumes in the future", () => bob.person.connect([{ roomId, seq: 4_000_000 }]));
}

async function directs({ ada, bob, cyd }: Stage): Promise<void> {
  const { room } = await ada.does(rooms.openDirect, { userIds: [bob.id] });
  const roomId = room?.id ?? "";
  for (const player of [ada, bob]) await player.hears("roomEntered", roomId);
  await bob.does(rooms.openDirect, { userIds: [ada.id] });
  await bob.says(roomId, "between us", "b4");
  await ada.follows(roomId, 4);
  ada.noteLog(roomId);
  await ada.isRefused(rooms.leaveRoom, { roomId });
  await ada.isRefused(rooms.setMember, { roomId, userId: cyd.id });
  await ada.isRefused(rooms.deleteRoom, { roomId });
  await ada.isRefused(rooms.openDirect, { userIds: [ada.id] });
  await cyd.isRefused(messages.listMessages, { roomId });
  await bob.does(rooms.listMyRooms, {});
}

async function aPublicRoom({ ada, bob, cyd, suffix }: Stage): Promise<string> {
  const { room } = await ada.does(rooms.createRoom, { name: `Plaza${suffix}`, visibility: Room_Visibility.PUBLIC });
  const roomId = room?.id ?? "";
  await bob.does(rooms.listRooms, { query: `plaza${suffix}` });
  await bob.does(messages.listMessages, { roomId });
  await bob.isRefused(messages.sendMessage, { roomId, text: "hi", clientMessageId: "b5" });
  for (const player of [bob, cyd]) {
    const { room: joined } = await player.does(rooms.joinRoom, { roomId });
    await player.hears("roomEntered", roomId);
    await player.follows(roomId, joined?.lastSeq ?? 0);
  }
  await cyd.does(rooms.joinRoom, { roomId });
  await ada.does(rooms.updateRoom, { roomId, permissions: { post: Member_Role.MODERATOR } });
  await cyd.isRefused(messages.sendMessage, { roomId, text: "hi", clientMessageId: "c5" });
  await ada.does(rooms.setMember, { roomId, userId: bob.id, role: Member_Role.MODERATOR });
  await bob.says(roomId, "order!", "b5");
  return roomId;
}

async function bans({ bob, cyd }: Stage, roomId: string): Promise<void> {
  await cyd.isRefused(rooms.banUser, { roomId, userId: bob.id });
  await bob.does(rooms.banUser, { roomId, userId: cyd.id, reason: "noise" });
  await cyd.hears("roomExited", roomId);
  await cyd.isRefused(rooms.joinRoom, { roomId });
  await cyd.isRefused(rooms.listBans, { roomId });
  await bob.does(rooms.listBans, { roomId });
  await bob.does(rooms.unbanUser, { roomId, userId: cyd.id });
  await bob.isRefused(rooms.unbanUser, { roomId, userId: cyd.id });
  await bob.isRefused(rooms.banUser, { roomId, userId: cyd.id, until: longAgo });
  for (const then of ["leave", "stay"]) {
    const { room } = await cyd.does(rooms.joinRoom, { roomId });
    await cyd.follows(roomId, room?.lastSeq ?? 0);
    if (then === "leave") await cyd.does(rooms.leaveRoom, { roomId });
  }
}

/** The private room is archived, the public one deleted. */
async function theEnd({ ada, bob, cyd }: Stage, tea: string, plaza: string): Promise<void> {
  await bob.isRefused(rooms.archiveRoom, { roomId: tea });
  const { room } = await ada.does(rooms.archiveRoom, { roomId: tea });
  await ada.isRefused(messages.sendMessage, { roomId: tea, text: "too late", clientMessageId: "a7" });
  await ada.isRefused(rooms.removeMember, { roomId: tea, userId: cyd.id });
  await ada.isRefused(rooms.banUser, { roomId: tea, userId: cyd.id });
  await ada.does(rooms.archiveRoom, { roomId: tea });
  await cyd.does(messages.listEvents, { roomId: tea });
  for (const player of [ada, bob, cyd]) await player.follows(tea, room?.lastSeq ?? 0);
  await cyd.isRefused(rooms.deleteRoom, { roomId: plaza });
  await ada.does(rooms.deleteRoom, { roomId: plaza });
  const gone = (event: Event): boolean =>
    event.roomId === plaza && event.kind.case === "roomExited" && event.kind.value.cause === RoomExited_Cause.ROOM_DELETED;
  for (const player of [ada, bob, cyd]) await player.live.inbox.find(gone);
  await ada.isRefused(rooms.getRoom, { roomId: plaza });
  await cyd.does(rooms.listMyRooms, {});
}
