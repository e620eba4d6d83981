import type { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { readInto } from "../inlet.ts";
import { PacketCutter } from "./packet-cutter.ts";

/** What is done with what arrives. */
export interface IntakeOwner {
  /** Whether the next packet may be carried out. */
  readonly mayRead: boolean;
  /** Whether nothing more is read. */
  readonly isOver: boolean;
  /** Takes plain PUBACKs from the beginning of what arrived; returns how many bytes they are. */
  takePubacks(bytes: Buffer): number;
  /** Carries out a packet; returns a promise when the next one has to wait. @throws Breach */
  take(packet: Buffer): Promise<void> | undefined;
  /** A promise while the client takes too little of what it is answered. */
  backlog(): Promise<void> | undefined;
  /** The connection cannot go on. */
  fail(thrown: unknown): void;
}

/** Longest run of acknowledgements that is taken at once (bytes); whoever sends more takes turns with the others. */
const maxPubackBytes = 4096;
/** After so long (milliseconds) the event loop gets its turn. */
const sliceMs = 4;

/** How long one connection may be served before others are. */
class Slice {
  #end = performance.now() + sliceMs;

  get isOver(): boolean {
    return performance.now() > this.#end;
  }

  /** Lets others go first. */
  async renew(): Promise<void> {
    await turn();
    this.#end = performance.now() + sliceMs;
  }
}

/** The way in of one connection: takes packets one after the other, as fast as they are carried out and their answers are taken. */
export class Intake {
  readonly #stream: Duplex;
  readonly #owner: IntakeOwner;
  readonly #cutter: PacketCutter;
  #reading = false;

  constructor(stream: Duplex, owner: IntakeOwner, maxBytes: number) {
    this.#stream = stream;
    this.#owner = owner;
    this.#cutter = new PacketCutter(maxBytes);
    readInto(stream, (bytes) => this.#arrived(bytes));
  }

  /** Larger packets are refused from now on. */
  set maxBytes(maxBytes: number) {
    this.#cutter.maxBytes = maxBytes;
  }

  /** Goes on with what has arrived, if it may. */
  read(): void {
    if (this.#reading) return;
    this.#reading = true;
    const slice = new Slice();
    const wait = this.#takeAll(slice);
    if (!wait) {
      this.#rest();
      return;
    }
    // So that the client's end is not heard, which closes the connection, before what came ahead of it is carried out.
    if (!this.#cutter.isEmpty) this.#stream.pause();
    void this.#goOn(wait, slice);
  }

  #arrived(bytes: Buffer): void {
    const owner = this.#owner;
    if (owner.isOver) return;
    const isNext = !this.#reading && this.#cutter.isEmpty && owner.mayRead;
    const taken = isNext && bytes.length <= maxPubackBytes ? owner.takePubacks(bytes) : 0;
    if (taken === bytes.length) return;
    // A copy: the bytes stand in memory that the next read overwrites, whoever's it is.
    this.#cutter.push(Buffer.from(bytes.subarray(taken)));
    if (this.#reading) this.#stream.pause();
    else this.read();
  }

  /** Carries out packets until one has to wait, for which a promise is returned, or there are no more. */
  #takeAll(slice: Slice): Promise<void> | undefined {
    const owner = this.#owner;
    try {
      while (owner.mayRead) {
        const packet = this.#cutter.next();
        if (!packet) break;
        const wait = owner.take(packet) ?? this.#pause(slice);
        if (wait) return wait;
      }
    } catch (thrown) {
      owner.fail(thrown);
    }
    return undefined;
  }

  #pause(slice: Slice): Promise<void> | undefined {
    return this.#owner.backlog() ?? (slice.isOver ? slice.renew() : undefined);
  }

  async #goOn(first: Promise<void>, slice: Slice): Promise<void> {
    try {
      for (let wait: Promise<void> | undefined = first; wait; wait = this.#pause(slice) ?? this.#takeAll(slice)) await wait;
    } catch (thrown) {
      this.#owner.fail(thrown);
    }
    this.#rest();
  }

  #rest(): void {
    this.#reading = false;
    if (!this.#owner.isOver && !this.#owner.mayRead) this.#stream.pause();
    else if (this.#stream.isPaused()) this.#stream.resume();
  }
}
