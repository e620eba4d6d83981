// People who do whatever they may, and now and then what they may not, in a few rooms: the same for the same seed.
import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Code,
  Member_Role,
  MessagesService,
  ParlorError,
  Presence_Status,
  PresenceService,
  Room_Visibility,
  RoomsService,
  UsersService,
} from "@parlor/contract";
import type { Person } from "./drivers/driver.ts";
import type { Random } from "./random.ts";

const rooms = RoomsService.method;
const messages = MessagesService.method;
const emoji = ["👍", "❤️", "🫖", "🇺🇦", "👩‍🚀", "1️⃣"] as const;

export interface LivedRoom {
  readonly id: string;
  readonly visibility: Room_Visibility;
  /** Messages that may be there, by their ids. */
  readonly messageIds: string[];
}

type Act = (who: Person, room: LivedRoom, random: Random) => Promise<unknown>;

/** The people, of whom the first owns every room and is in it from beginning to end. */
export class Life {
  readonly people: readonly Person[];
  readonly rooms: LivedRoom[] = [];
  readonly #acts: readonly (readonly [weight: number, act: Act])[];
  #keys = 0;

  constructor(people: readonly Person[]) {
    this.people = people;
    this.#acts = [
      [30, (who, room, random) => this.#send(who, room, random)],
      [8, (who, room, random) => call(who, messages.editMessage, { ...this.#message(room, random), text: `edited ${random.below(1000)}` })],
      [5, (who, room, random) => call(who, messages.deleteMessage, this.#message(room, random))],
      [14, (who, room, random) => call(who, messages.addReaction, { ...this.#message(room, random), emoji: random.pick(emoji) })],
      [8, (who, room, random) => call(who, messages.removeReaction, { ...this.#message(room, random), emoji: random.pick(emoji) })],
      [4, (who, room, random) => call(who, messages.markRead, { roomId: room.id, seq: random.below(60) })],
      [4, (who, room, random) => call(who, rooms.updateRoom, { roomId: room.id, ...change(random) })],
      [6, (who, room, random) => call(who, rooms.setMember, { roomId: room.id, userId: this.#other(random).user.id, ...standing(random) })],
      [3, (who, room, random) => call(who, rooms.removeMember, { roomId: room.id, userId: this.#other(random).user.id })],
      [2, (who, room, random) => call(who, rooms.banUser, { roomId: room.id, userId: this.#other(random).user.id })],
      [3, (who, room, random) => call(who, rooms.unbanUser, { roomId: room.id, userId: this.#other(random).user.id })],
      [6, (who, room) => call(who, rooms.joinRoom, { roomId: room.id })],
      [2, (who, room) => this.#leave(who, room)],
      [1, (who, _room, random) => call(who, rooms.openDirect, { userIds: [this.#other(random).user.id] })],
      [1, (who, _room, random) => call(who, UsersService.method.updateProfile, { bio: `bio ${random.below(100)}` })],
      [
        1,
        (who, _room, random) =>
          call(who, PresenceService.method.setPresence, { status: random.pick([Presence_Status.AWAY, Presence_Status.ONLINE]) }),
      ],
    ];
  }

  get owner(): Person {
    return this.people[0] as Person;
  }

  async makeRoom(visibility: typeof Room_Visibility.PUBLIC | typeof Room_Visibility.PRIVATE): Promise<LivedRoom> {
    const memberIds = visibility === Room_Visibility.PRIVATE ? this.people.slice(1).map(({ user }) => user.id) : [];
    const { room } = await this.owner.call(rooms.createRoom, { name: `Room ${this.rooms.length}`, visibility, memberIds });
    const lived = { id: room?.id ?? "", visibility, messageIds: [] };
    this.rooms.push(lived);
    return lived;
  }

  /** Somebody does something somewhere. Refusals are part of life, faults are not. @throws ParlorError for a fault */
  async step(random: Random): Promise<void> {
    const act = this.#pickAct(random);
    try {
      await act(random.pick(this.people), random.pick(this.rooms), random);
    } catch (error) {
      if (!(error instanceof ParlorError) || error.code === Code.INTERNAL || error.code === Code.UNKNOWN) throw error;
    }
  }

  /** Many steps, some of them at the same time. */
  async live(random: Random, steps: number): Promise<void> {
    for (let done = 0; done < steps; ) {
      const together = Math.min(1 + random.below(8), steps - done);
      await Promise.all(Array.from({ length: together }, () => this.step(random.fork())));
      done += together;
    }
  }

  async #send(who: Person, room: LivedRoom, random: Random): Promise<void> {
    // Sometimes a key that was used before, by this author or another, with the same text or not.
    const key = random.below(10) === 0 ? random.below(this.#keys + 1) : ++this.#keys;
    const { message, duplicate } = await who.call(messages.sendMessage, {
      roomId: room.id,
      text: `text ${random.below(3)} ${key}`,
      clientMessageId: `key ${key}`,
    });
    if (message && !duplicate) room.messageIds.push(message.id);
  }

  async #leave(who: Person, room: LivedRoom): Promise<void> {
    if (who !== this.owner) await call(who, rooms.leaveRoom, { roomId: room.id });
  }

  #message({ id, messageIds }: LivedRoom, random: Random): { readonly roomId: string; readonly messageId: string } {
    return { roomId: id, messageId: messageIds.length === 0 ? id : random.pick(messageIds.slice(-12)) };
  }

  #other(random: Random): Person {
    return random.pick(this.people.slice(1));
  }

  #pickAct(random: Random): Act {
    let left = random.below(this.#acts.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of this.#acts) {
      left -= weight;
      if (left < 0) return act;
    }
    throw new Error("the weights do not add up");
  }
}

function call<M extends DescMethod>(who: Person, method: M, request: MessageInitShape<M["input"]>): Promise<unknown> {
  return who.call(method, request);
}

function change(random: Random): Omit<MessageInitShape<typeof rooms.updateRoom.input>, "$typeName" | "roomId"> {
  return random.pick([
    { topic: `topic ${random.below(100)}` },
    { name: `name ${random.below(100)}` },
    { permissions: { post: random.pick([Member_Role.MEMBER, Member_Role.MODERATOR]) } },
    { slowModeSeconds: random.pick([0, 0, 1]) },
  ]);
}

/** Nobody becomes an owner, who could throw out the first one. */
function standing(random: Random): Omit<MessageInitShape<typeof rooms.setMember.input>, "$typeName" | "roomId" | "userId"> {
  const mutedUntil = random.pick([0, 0, Date.UTC(2100, 0, 1)]);
  return random.pick([
    {},
    { role: random.pick([Member_Role.READ_ONLY, Member_Role.MEMBER, Member_Role.MODERATOR, Member_Role.MODERATOR]) },
    { mutedUntil: timestampFromMs(mutedUntil) },
  ]);
}
