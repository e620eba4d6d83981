import { type ClientOptions, type Event, type Happenings, ParlorClient, type StreamState, type Welcome } from "../../src/index.ts";
import { ManualClock } from "./manual-clock.ts";
import { type Peer, WireServer } from "./wire-server.ts";

export type Format = "json" | "proto";
export const formats: readonly Format[] = ["json", "proto"];

/** A client and the server that a test plays for it, with time standing still. */
export class Session implements AsyncDisposable {
  readonly server: WireServer;
  readonly clock = new ManualClock();
  readonly client: ParlorClient;
  /** Every durable event that was delivered. */
  readonly events: Event[] = [];

  private constructor(server: WireServer, options: Partial<ClientOptions>) {
    this.server = server;
    this.client = new ParlorClient({ url: server.url, clock: this.clock, random: () => 0.5, ...options });
    this.client.on("event", (event) => this.events.push(event));
  }

  /** A client with a token that does not change. */
  static start(options: Partial<ClientOptions> = {}): Promise<Session> {
    return Session.withoutToken({ token: "token", ...options });
  }

  static async withoutToken(options: Partial<ClientOptions> = {}): Promise<Session> {
    return new Session(await WireServer.start(), options);
  }

  get seqs(): number[] {
    return this.events.filter(({ seq }) => seq > 0).map(({ seq }) => seq);
  }

  /** Accepts the client's next connection and welcomes it. */
  async welcome(...args: Parameters<Peer["welcome"]>): Promise<Peer> {
    const peer = await this.server.accept();
    await peer.hello();
    const welcomed = this.next("welcome");
    peer.welcome(...args);
    await welcomed;
    return peer;
  }

  /** Connects for the first time. */
  async connect(...args: Parameters<Peer["welcome"]>): Promise<{ peer: Peer; welcome: Welcome }> {
    const connected = this.client.connect();
    const peer = await this.welcome(...args);
    return { peer, welcome: await connected };
  }

  /** The next happening of this name that fits. */
  next<K extends keyof Happenings>(name: K, fits: (value: Happenings[K]) => boolean = () => true): Promise<Happenings[K]> {
    return new Promise((resolve) => {
      const off = this.client.on(name, (value) => {
        if (!fits(value)) return;
        off();
        resolve(value);
      });
    });
  }

  async state(state: StreamState): Promise<Happenings["state"]> {
    return this.next("state", (change) => change.state === state);
  }

  /** Cuts the connection, and lets the wait pass that the client makes of it. */
  async dropAndReturn(peer: Peer): Promise<void> {
    const waiting = this.state("waiting");
    peer.drop();
    const { retryInMs } = await waiting;
    this.clock.advance(retryInMs as number);
  }

  /** The event with this `seq` has been delivered. */
  async delivered(seq: number): Promise<void> {
    if (!this.seqs.includes(seq)) await this.next("event", (event) => event.seq === seq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.server[Symbol.asyncDispose]();
  }
}
