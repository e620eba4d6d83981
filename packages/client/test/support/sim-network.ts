import { create, fromBinary, fromJsonString, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, ServerFrameSchema } from "@parlor/contract";
import type { WebSocketConstructor, WebSocketLike } from "../../src/index.ts";
import type { ManualClock } from "./manual-clock.ts";

export type ServerFrameInit = MessageInitShape<typeof ServerFrameSchema>;

/** Things take up to this long to get through, in milliseconds of the simulation. */
const LATENCY_MS = 20;

/** One direction of a connection: all that is put in comes out in its order, a little later, until it is shut. */
class Pipe {
  readonly #clock: ManualClock;
  readonly #random: () => number;
  #lastArrival = 0;
  #open = true;

  constructor(clock: ManualClock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  put(arrive: () => void): void {
    const now = this.#clock.now();
    this.#lastArrival = Math.max(this.#lastArrival, now + this.#random() * LATENCY_MS);
    this.#clock.after(this.#lastArrival - now, () => this.#open && arrive());
  }

  /** What is under way is lost. */
  shut(): void {
    this.#open = false;
  }
}

/** The server's end of a connection. */
export class SimPeer {
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  readonly #socket: SimSocket;
  onFrame: (frame: ClientFrame) => void = () => undefined;
  onGone: () => void = () => undefined;

  constructor(socket: SimSocket, toServer: Pipe, toClient: Pipe) {
    this.#socket = socket;
    this.#toServer = toServer;
    this.#toClient = toClient;
  }

  send(init: ServerFrameInit): void {
    const frame = create(ServerFrameSchema, init);
    const json = this.#socket.protocol === "parlor.v1.json";
    const data = json ? toJsonString(ServerFrameSchema, frame) : toBinary(ServerFrameSchema, frame).buffer;
    this.#toClient.put(() => this.#socket.tell("message", { data }));
  }

  /** The network breaks, and both sides see it. */
  cut(): void {
    this.mute();
    this.onGone();
    this.#socket.tell("close", { code: 1006, reason: "" });
  }

  /** The network goes dead without a sign. */
  mute(): void {
    this.#toServer.shut();
    this.#toClient.shut();
  }
}

/** The client's end of a connection. */
class SimSocket implements WebSocketLike {
  binaryType = "blob";
  readonly protocol: string;
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  readonly #peer: SimPeer;
  readonly #listeners = new Map<string, ((event: never) => void)[]>();

  constructor(protocol: string, toServer: Pipe, toClient: Pipe, accept: (peer: SimPeer) => void) {
    this.protocol = protocol;
    this.#toServer = toServer;
    this.#toClient = toClient;
    this.#peer = new SimPeer(this, toServer, toClient);
    toServer.put(() => {
      accept(this.#peer);
      toClient.put(() => this.tell("open", {}));
    });
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(data: string | Uint8Array): void {
    const frame = typeof data === "string" ? fromJsonString(ClientFrameSchema, data) : fromBinary(ClientFrameSchema, data);
    this.#toServer.put(() => this.#peer.onFrame(frame));
  }

  close(): void {
    this.#toClient.shut();
    this.#toServer.put(() => this.#peer.onGone());
  }

  tell(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}

/** A network in memory, on a clock that a test moves and with the luck that it draws: the same run for the same seed. */
export function simulatedNetwork(clock: ManualClock, random: () => number, accept: (peer: SimPeer) => void): WebSocketConstructor {
  return class extends SimSocket {
    constructor(_url: string, [protocol]: string[]) {
      super(protocol as string, new Pipe(clock, random), new Pipe(clock, random), accept);
    }
  };
}
