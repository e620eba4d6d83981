// Writers on every protocol that do not give up: each message has a key, and is sent again until it is acknowledged.
import { setTimeout as later } from "node:timers/promises";
import { Code, type Message, MessagesService, ParlorError, type SendMessageResponse } from "@parlor/contract";
import type { Live, Person } from "../support/drivers/driver.ts";
import type { Random } from "../support/random.ts";

/** What was acknowledged. */
export interface Acknowledged {
  readonly message: Message;
  readonly text: string;
}

type Send = (text: string, clientMessageId: string) => Promise<SendMessageResponse>;

/** Through single calls: gRPC unary or REST. */
export function byCalls(person: Person, roomId: string): Send {
  return (text, clientMessageId) => person.call(MessagesService.method.sendMessage, { roomId, text, clientMessageId });
}

/** Through a stream, which is opened anew whenever it is gone. */
export function byStream(person: Person, roomId: string): Send {
  let live: Live | undefined;
  return async (text, clientMessageId) => {
    try {
      live ??= await person.connect();
      return await live.send(roomId, text, clientMessageId);
    } catch (error) {
      live?.close();
      live = undefined;
      throw error;
    }
  };
}

/** So that a test of time measures the servers, and not how busy the machine is. */
export function paced(send: Send, everyMs: number): Send {
  return async (text, clientMessageId) => {
    await later(everyMs);
    return send(text, clientMessageId);
  };
}

export class Writer {
  readonly acknowledged: Acknowledged[] = [];
  readonly name: string;
  readonly #send: Send;
  readonly #random: Random;
  readonly #onAck: (message: Message) => void;
  /** Tries that failed, so that the writer tried again. */
  failures = 0;
  #stopped = false;

  constructor(name: string, send: Send, random: Random, onAck: (message: Message) => void) {
    this.name = name;
    this.#send = send;
    this.#random = random;
    this.#onAck = onAck;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Writes until it is stopped. @throws Error when a repeat is answered otherwise than the first time */
  async run(): Promise<void> {
    for (let n = 1; !this.#stopped; n++) {
      const text = `${n} by ${this.name}`;
      const { message } = await this.#untilAcknowledged(text, `key ${n}`);
      if (!message) throw new Error("an answer without the message");
      this.acknowledged.push({ message, text });
      this.#onAck(message);
      if (this.#random.below(5) === 0) await this.#again(message, text, `key ${n}`);
    }
  }

  /** As a client would that has lost the answer. */
  async #again(first: Message, text: string, key: string): Promise<void> {
    const { message, duplicate } = await this.#untilAcknowledged(text, key);
    if (!duplicate || message?.id !== first.id || message.seq !== first.seq) throw new Error(`${key} by ${this.name} was stored twice`);
  }

  async #untilAcknowledged(text: string, key: string): Promise<SendMessageResponse> {
    for (;;) {
      try {
        return await this.#send(text, key);
      } catch (error) {
        if (!mayHaveHappened(error)) throw error;
        this.failures++;
      }
    }
  }
}

/** Whether the server was gone, so that nobody knows what became of the call. */
export function mayHaveHappened(error: unknown): boolean {
  return error instanceof ParlorError && [Code.UNAVAILABLE, Code.CANCELLED, Code.UNKNOWN, Code.INTERNAL].includes(error.code);
}
