import { protocols } from "./clients/index.ts";
import type { JoinOrder } from "./orders.ts";
import { doorOf, type Publisher } from "./protocol.ts";

/** Called for each member that hears messages, with how many it just heard. */
export type OnHeard = (member: number, messages: number) => void;

/** How many members join at a time: few enough for any server's queue of new connections. */
const JOINING = 20;

/** The members of one room: many that listen, and one that sends. */
export class Crowd {
  readonly #publisher: Publisher;
  readonly #heard: number[];
  #sent = 0;
  /** What the load under way does with each delivery. */
  onHeard: OnHeard = () => undefined;

  private constructor(publisher: Publisher, heard: number[]) {
    this.#publisher = publisher;
    this.#heard = heard;
  }

  static async join(order: JoinOrder): Promise<Crowd> {
    const protocol = protocols[order.protocol];
    if (!protocol) throw new Error(`There is no client for ${order.protocol}.`);
    const heard = new Array<number>(order.listeners).fill(0);
    const crowd = new Crowd(await protocol.publish(order.door), heard);
    const waiting = heard.keys();
    const joinOthers = async (): Promise<void> => {
      for (const member of waiting) await protocol.listen(doorOf(order.door, member), member, (messages) => crowd.#hear(member, messages));
    };
    await Promise.all(Array.from({ length: JOINING }, joinOthers));
    return crowd;
  }

  get listeners(): number {
    return this.#heard.length;
  }

  send(messages: number): void {
    this.#sent += messages;
    this.#publisher.send(messages);
  }

  /** Waits until all that was sent has come to everyone; then nobody may have heard more or less. */
  async settled(): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (!this.#complete()) {
      if (performance.now() > deadline) throw new Error(`Not all was delivered: ${this.#difference()}.`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #hear(member: number, messages: number): void {
    this.#heard[member] = (this.#heard[member] as number) + messages;
    this.onHeard(member, messages);
  }

  #complete(): boolean {
    return this.#publisher.confirmed === this.#sent && this.#heard.every((count) => count === this.#sent);
  }

  #difference(): string {
    const [least, most] = [Math.min(...this.#heard), Math.max(...this.#heard)];
    return `${this.#sent} sent, ${this.#publisher.confirmed} confirmed, ${least} to ${most} heard`;
  }
}
