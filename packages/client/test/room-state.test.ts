import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, type Event, EventSchema, type Member, Member_Role, MemberSchema, RoomSchema } from "@parlor/contract";
import { applyEvent, type RoomState, roomState } from "../src/index.ts";
import { happened, ME, messageId, PEER, ROOM, sent } from "./support/events.ts";

const empty = roomState(create(RoomSchema, { id: ROOM }));

function member(userId: string, role = Member_Role.MEMBER): Member {
  return create(MemberSchema, { roomId: ROOM, userId, role });
}

type KindInit = NonNullable<Parameters<typeof create<typeof EventSchema>>[1]>["kind"];

/** A log of these happenings from `seq` 1. */
function log(...kinds: (NonNullable<KindInit> | "sent")[]): Event[] {
  return kinds.map((kind, index) =>
    kind === "sent"
      ? sent(index + 1)
      : create(EventSchema, {
          ...happened(index + 1, { case: undefined }),
          $typeName: "parlor.v1.Event",
          kind: create(EventSchema, { kind }).kind,
        }),
  );
}

function applyAll(events: readonly Event[], state: RoomState = empty): RoomState {
  return events.reduce(applyEvent, state);
}

const created = { case: "roomCreated", value: { room: { id: ROOM, name: "Den", memberCount: 1 } } } as const;

test("members come, change and go, in the order of their ids", () => {
  const events = log(
    created,
    { case: "memberJoined", value: { member: member(PEER) } },
    { case: "memberJoined", value: { member: member(ME, Member_Role.OWNER) } },
    { case: "memberUpdated", value: { member: member(PEER, Member_Role.READ_ONLY) } },
    { case: "memberBanned", value: { userId: "stranger" } },
  );
  const state = applyAll(events);
  assert.deepEqual(
    state.members.map(({ userId, role }) => [userId, role]),
    [
      [ME, Member_Role.OWNER],
      [PEER, Member_Role.READ_ONLY],
    ],
  );
  assert.deepEqual([state.room.memberCount, state.room.lastSeq, state.room.name], [2, 5, "Den"]);
  for (const kind of ["memberLeft", "memberRemoved", "memberBanned"] as const) {
    const after = applyEvent(state, {
      ...happened(6, { case: undefined }),
      kind: create(EventSchema, { kind: { case: kind, value: { userId: PEER } } as never }).kind,
    });
    assert.deepEqual([after.members.map(({ userId }) => userId), after.room.memberCount], [[ME], 1]);
  }
});

test("messages are sent, edited, deleted and reacted to", () => {
  const about = { messageId: messageId(2), messageSeq: 2 };
  const events = log(
    created,
    "sent",
    "sent",
    { case: "messageEdited", value: { ...about, text: "better" } },
    { case: "reactionAdded", value: { ...about, emoji: "👍" } },
    { case: "reactionAdded", value: { ...about, emoji: "🎉" } },
  );
  const state = applyAll(events);
  const sentMessage = events[2]?.kind.case === "messageSent" ? events[2].kind.value.message : undefined;
  const [first, second] = state.messages;
  assert.deepEqual([first?.text, first?.editedAt], ["better", events[3]?.at]);
  assert.deepEqual(second, sentMessage);
  assert.deepEqual(
    first?.reactions.map(({ emoji, count, userIds }) => [emoji, count, userIds]),
    [
      ["👍", 1, [PEER]],
      ["🎉", 1, [PEER]],
    ],
  );

  const more = {
    ...happened(7, { case: "reactionAdded", value: { ...about, emoji: "👍", $typeName: "parlor.v1.ReactionAdded" } }, { actorId: ME }),
  };
  const two = applyEvent(state, more);
  assert.deepEqual(two.messages[0]?.reactions[0]?.userIds, [PEER, ME]);
  const back = applyEvent(
    two,
    happened(8, { case: "reactionRemoved", value: { ...about, emoji: "👍", $typeName: "parlor.v1.ReactionRemoved" } }),
  );
  assert.deepEqual(
    back.messages[0]?.reactions.map(({ emoji, count, userIds }) => [emoji, count, userIds]),
    [
      ["👍", 1, [ME]],
      ["🎉", 1, [PEER]],
    ],
  );
  const gone = applyEvent(
    back,
    happened(9, { case: "reactionRemoved", value: { ...about, emoji: "👍", $typeName: "parlor.v1.ReactionRemoved" } }, { actorId: ME }),
  );
  assert.deepEqual(
    gone.messages[0]?.reactions.map(({ emoji }) => emoji),
    ["🎉"],
  );

  const deletion = happened(10, { case: "messageDeleted", value: { ...about, $typeName: "parlor.v1.MessageDeleted" } });
  const deleted = applyEvent(gone, deletion).messages[0];
  assert.deepEqual([deleted?.text, deleted?.deletedAt, deleted?.reactions, deleted?.editedAt], ["", deletion.at, [], events[3]?.at]);
  assert.equal(first?.text, "better", "the state before is left as it was");
});

test("more than 50 who reacted are counted, not named", () => {
  let state = applyAll(log(created, "sent"));
  for (let seq = 3; seq <= 62; seq += 1) {
    const value = { $typeName: "parlor.v1.ReactionAdded", messageId: messageId(2), messageSeq: 2, emoji: "👍" } as const;
    state = applyEvent(state, happened(seq, { case: "reactionAdded", value }, { actorId: `user ${seq}` }));
  }
  assert.deepEqual([state.messages[0]?.reactions[0]?.count, state.messages[0]?.reactions[0]?.userIds.length], [60, 50]);
});

test("the room is changed, archived, deleted", () => {
  const events = log(
    created,
    { case: "roomUpdated", value: { room: { id: ROOM, name: "New", topic: "t", memberCount: 1, lastSeq: 1 } } },
    { case: "roomArchived", value: {} },
    "sent",
  );
  const state = applyAll(events);
  assert.deepEqual([state.room.name, state.room.topic, state.room.lastSeq, state.room.archivedAt], ["New", "t", 4, events[2]?.at]);
  const gone = applyEvent(state, happened(5, { case: "roomDeleted", value: { $typeName: "parlor.v1.RoomDeleted" } }));
  assert.deepEqual([gone.deleted, gone.messages, gone.members], [true, [], []]);
});

test("what was applied already, has no seq or is of another room changes nothing; a hole is an error", () => {
  const state = applyAll(log(created, "sent"));
  assert.equal(applyEvent(state, sent(2)), state);
  assert.equal(applyEvent(state, happened(0, { case: "roomArchived", value: { $typeName: "parlor.v1.RoomArchived" } })), state);
  assert.equal(applyEvent(state, sent(3, "x", { roomId: "elsewhere" })), state);
  assert.throws(() => applyEvent(state, sent(4)), { code: Code.DATA_LOSS });
});

test("events that members and messages fetched a little later know of already do no harm", () => {
  const about = { messageId: messageId(3), messageSeq: 3 };
  const events = log(
    created,
    { case: "memberJoined", value: { member: member(ME) } },
    "sent",
    { case: "memberJoined", value: { member: member(PEER) } },
    { case: "reactionAdded", value: { ...about, emoji: "👍" } },
    { case: "messageEdited", value: { ...about, text: "better" } },
    { case: "messageEdited", value: { messageId: "not among the newest", messageSeq: 1, text: "" } },
  );
  const whole = applyAll(events);
  const early = applyAll(events.slice(0, 2));
  assert.deepEqual(applyAll(events, roomState(early.room, whole.members, whole.messages)), whole);
});
