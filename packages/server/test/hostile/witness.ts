import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { MessagesService, RoomsService } from "@parlor/contract";
import { clientDriver } from "../support/drivers/client.ts";
import type { Live, Person } from "../support/drivers/driver.ts";
import { grpcDriver } from "../support/drivers/grpc.ts";
import { newName } from "../support/party.ts";
import type { Target } from "./target.ts";

/** Between two lines of the conversation (milliseconds): the machine is left to the attack. */
const paceMs = 10;

/** Two well-behaved people, one on gRPC and one on WebSocket, who talk as long as an attack lasts. */
export class Witness {
  readonly roomId: string;
  readonly #people: readonly [Person, Person];
  readonly #streams: readonly [Live, Live];
  readonly #sent: string[] = [];
  readonly #endings: string[] = [];
  #stopped = false;
  readonly #talk: Promise<void>;

  private constructor(roomId: string, people: readonly [Person, Person], streams: readonly [Live, Live]) {
    this.roomId = roomId;
    this.#people = people;
    this.#streams = streams;
    for (const stream of streams) void stream.ended.then((ending) => this.#endings.push(JSON.stringify(ending)));
    this.#talk = this.#converse();
    // Told by `assertUndisturbed`.
    this.#talk.catch(() => undefined);
  }

  static async start({ port, url }: Target): Promise<Witness> {
    const ada = await grpcDriver(port).signUp(newName());
    const ben = await clientDriver(url, "json").signUp(newName());
    const { room } = await ada.call(RoomsService.method.createRoom, { name: "Witness", memberIds: [ben.user.id] });
    const streams = [await ada.connect(), await ben.connect()] as const;
    return new Witness(room?.id ?? "", [ada, ben], streams);
  }

  /** Resolves when one more line has been said and heard. */
  async goesOn(): Promise<void> {
    const text = `line ${this.#sent.length + 1}`;
    await Promise.race([
      this.#talk,
      this.#streams[1].inbox.find(({ kind }) => kind.case === "messageSent" && kind.value.message?.text === text),
    ]);
  }

  /** Ends the conversation; fails unless both heard every line once, in order, and neither stream ended. */
  async assertUndisturbed(): Promise<void> {
    this.#stopped = true;
    await this.#talk;
    assert.deepEqual(this.#endings, []);
    assert.ok(this.#sent.length > 0);
    for (const { inbox } of this.#streams) {
      const heard = inbox.items.flatMap(({ kind }) => (kind.case === "messageSent" ? [kind.value.message?.text] : []));
      assert.deepEqual(heard, this.#sent);
    }
    const { messages } = await this.#people[0].call(MessagesService.method.listMessages, { roomId: this.roomId, pageSize: 200 });
    assert.deepEqual(
      messages.map(({ text }) => text),
      this.#sent.slice(-200),
    );
    for (const stream of this.#streams) stream.close();
    for (const person of this.#people) person.close();
  }

  async #converse(): Promise<void> {
    for (let line = 1; !this.#stopped; line++) {
      const text = `line ${line}`;
      this.#sent.push(text);
      const [speaker, listener] = line % 2 ? this.#streams : [this.#streams[1], this.#streams[0]];
      const { duplicate } = await speaker.send(this.roomId, text, text);
      assert.equal(duplicate, false);
      for (const { inbox } of [speaker, listener]) {
        await inbox.find(({ kind }) => kind.case === "messageSent" && kind.value.message?.text === text);
      }
      await pause(paceMs);
    }
  }
}
