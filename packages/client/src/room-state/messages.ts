import { create } from "@bufbuild/protobuf";
import { type Event, type Message, type Reaction, ReactionSchema } from "@parlor/contract";

/** How many of those who reacted a reaction names, by the contract. */
const NAMED = 50;

/** The messages of a room after an event; the same array when it does not touch them. */
export function applyToMessages(messages: readonly Message[], { kind, actorId, at }: Event): readonly Message[] {
  switch (kind.case) {
    case "messageSent":
      return kind.value.message === undefined ? messages : withMessage(messages, kind.value.message);
    case "messageEdited": {
      const { text, messageSeq } = kind.value;
      return change(messages, messageSeq, (message) => ({ ...message, text, ...(at && { editedAt: at }) }));
    }
    case "messageDeleted":
      return change(messages, kind.value.messageSeq, (message) => ({ ...message, text: "", reactions: [], ...(at && { deletedAt: at }) }));
    case "reactionAdded": {
      const { emoji, messageSeq } = kind.value;
      return change(messages, messageSeq, (message) => ({ ...message, reactions: withReaction(message.reactions, emoji, actorId) }));
    }
    case "reactionRemoved": {
      const { emoji, messageSeq } = kind.value;
      return change(messages, messageSeq, (message) => ({ ...message, reactions: withoutReaction(message.reactions, emoji, actorId) }));
    }
    default:
      return messages;
  }
}

/** One that is there already was fetched later than this event happened, and knows more. */
function withMessage(messages: readonly Message[], message: Message): readonly Message[] {
  const index = indexOf(messages, message.seq);
  return messages[index]?.seq === message.seq ? messages : messages.toSpliced(index, 0, message);
}

/** A message that is not among those known needs no change. */
function change(messages: readonly Message[], seq: number, apply: (message: Message) => Message): readonly Message[] {
  const index = indexOf(messages, seq);
  const message = messages[index];
  return message?.seq === seq ? messages.with(index, apply(message)) : messages;
}

/** Where a message with this `seq` is or belongs, by halving. */
function indexOf(messages: readonly Message[], seq: number): number {
  let from = 0;
  let to = messages.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((messages[middle] as Message).seq < seq) from = middle + 1;
    else to = middle;
  }
  return from;
}

function withReaction(reactions: readonly Reaction[], emoji: string, userId: string): Reaction[] {
  const index = reactions.findIndex((reaction) => reaction.emoji === emoji);
  const reaction = reactions[index];
  if (reaction === undefined) return [...reactions, create(ReactionSchema, { emoji, count: 1, userIds: [userId] })];
  if (reaction.userIds.includes(userId)) return [...reactions];
  const userIds = reaction.userIds.length < NAMED ? [...reaction.userIds, userId] : reaction.userIds;
  return reactions.with(index, { ...reaction, count: reaction.count + 1, userIds });
}

function withoutReaction(reactions: readonly Reaction[], emoji: string, userId: string): Reaction[] {
  const index = reactions.findIndex((reaction) => reaction.emoji === emoji);
  const reaction = reactions[index];
  if (reaction === undefined) return [...reactions];
  if (reaction.count <= 1) return reactions.toSpliced(index, 1);
  return reactions.with(index, { ...reaction, count: reaction.count - 1, userIds: reaction.userIds.filter((id) => id !== userId) });
}
