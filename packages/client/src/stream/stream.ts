import { Code, type Event, type Gap, type Goodbye_Reason, ParlorError, Reason, type ServerFrame, type Welcome } from "@parlor/contract";
import { clientClosed, notConnected, toParlorError } from "../errors.ts";
import { type Backoff, fullJitter, type RetryWorld } from "../retry.ts";
import type { Server, Servers } from "../servers.ts";
import type { TokenKeeper } from "../tokens.ts";
import { Connection, type ConnectionEnd } from "./connection.ts";
import { type Cursor, Cursors } from "./cursors.ts";
import { Delivery } from "./delivery.ts";
import type { FrameFormat } from "./frames.ts";
import { type NextStep, nextStep } from "./goodbyes.ts";
import { Outbox } from "./outbox.ts";
import type { WebSocketConstructor } from "./socket.ts";

/**
 * "connecting": a connection is being made. "live": events come as they happen. "waiting": there is no connection, and one will
 * be made after a while. "closed": there is none until `connect` is called.
 */
export type StreamState = "connecting" | "live" | "waiting" | "closed";

/** A state and how it came to be. */
export interface StateChange {
  readonly state: StreamState;
  /** Why the last connection ended; left out when this side closed it. */
  readonly error?: ParlorError;
  /** The reason of the server's goodbye, if there was one. */
  readonly goodbye?: Goodbye_Reason;
  /** Milliseconds until the next try; left out while the token is being exchanged. */
  readonly retryInMs?: number;
}

/** Who is told of what comes. */
export interface StreamHost {
  event(event: Event): void;
  gap(gap: Gap): void;
  welcome(welcome: Welcome): void;
  state(change: StateChange): void;
  /** Resolves when the readers take an event; undefined when they do now. */
  readersFull(): Promise<void> | undefined;
}

export interface StreamOptions extends RetryWorld {
  readonly servers: Servers;
  readonly WebSocket: WebSocketConstructor;
  readonly format: FrameFormat;
  readonly tokens: TokenKeeper;
  readonly backoff: Backoff;
  readonly fillGaps: boolean;
  /** Frames that may wait for an answer. */
  readonly maxPending: number;
  readonly resume: readonly Cursor[];
  readonly listEvents: (roomId: string, afterSeq: number, signal: AbortSignal) => Promise<readonly Event[]>;
}

/** A connection that lived this long shows that the server is well: the waits begin anew. */
const STABLE_MS = 10_000;

/** The stream as an application sees it: one, over as many connections as it takes. */
export class Stream {
  readonly #options: StreamOptions;
  readonly #host: StreamHost;
  readonly #cursors = new Cursors();
  readonly #delivery: Delivery;
  readonly #outbox: Outbox;
  #state: StateChange = { state: "closed" };
  #opened: PromiseWithResolvers<Welcome> | undefined;
  #connection: Connection | undefined;
  #liveSince: number | undefined;
  #attempt = 0;
  #cancelWait: () => void = () => undefined;
  /** Changes whenever what is under way is given up. */
  #turn = 0;

  constructor(options: StreamOptions, host: StreamHost) {
    this.#options = options;
    this.#host = host;
    for (const { roomId, seq } of options.resume) this.#cursors.advance(roomId, seq);
    this.#outbox = new Outbox(options.maxPending, options);
    this.#delivery = new Delivery(
      {
        event: (event) => host.event(event),
        gap: (gap) => host.gap(gap),
        readersFull: () => host.readersFull(),
        failed: (error) => this.#lost({ error }),
        listEvents: options.listEvents,
      },
      this.#cursors,
      options.fillGaps,
    );
  }

  get state(): StreamState {
    return this.#state.state;
  }

  get cursors(): Cursor[] {
    return this.#cursors.all();
  }

  /** Resolves with the first welcome; tries until then, unless trying again cannot help. */
  connect(): Promise<Welcome> {
    if (this.#opened === undefined) {
      this.#opened = Promise.withResolvers();
      // Whoever does not look at the promise learns of the failure as a state.
      this.#opened.promise.catch(() => undefined);
      this.#attempt = 0;
      void this.#open();
    }
    return this.#opened.promise;
  }

  /** Ends the stream and rejects whatever waits for an answer. `connect` resumes it. */
  close(): void {
    if (this.#state.state !== "closed") this.#shut(clientClosed(), { state: "closed" });
  }

  /** Forgets the rooms, for another user. The stream is closed. */
  forget(): void {
    this.#delivery.forget();
  }

  /** Sends a frame that is answered, once it is its turn in its lane. */
  request: Outbox["submit"] = (lane, kind) => {
    return this.#state.state === "closed" ? Promise.reject(notConnected()) : this.#outbox.submit(lane, kind);
  };

  /** Tells others of this moment; there is nothing to tell later, so it is left out while there is no connection. */
  typing(roomId: string): void {
    if (this.#state.state === "live") this.#connection?.send({ kind: { case: "typing", value: { roomId } } });
  }

  async #open(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#enter({ state: "connecting" });
    try {
      const token = await this.#options.tokens.access();
      if (this.#turn === turn) this.#connect(token ?? refuseToConnect());
    } catch (error) {
      if (this.#turn === turn) this.#noToken(toParlorError(error));
    }
  }

  #connect(token: string): void {
    const { servers, WebSocket, format, clock } = this.#options;
    const server = servers.current;
    this.#connection = new Connection({
      url: server.stream,
      WebSocket,
      format,
      clock,
      hello: { token, resume: this.#cursors.toResume(token) },
      onWelcome: (welcome) => this.#welcomed(welcome),
      onFrame: (frame) => this.#received(frame),
      onEnd: (end) => this.#ended(end, server, token),
    });
  }

  #welcomed(welcome: Welcome): void {
    const connection = this.#connection as Connection;
    this.#liveSince = this.#options.clock.now();
    this.#enter({ state: "live" });
    this.#opened?.resolve(welcome);
    this.#host.welcome(welcome);
    // Each of these tells listeners, any of which may close the stream.
    if (this.#connection === connection) this.#delivery.begin(welcome);
    if (this.#connection === connection) this.#outbox.begin((frame) => connection.send(frame));
  }

  #received(frame: ServerFrame): void {
    for (const reply of frame.replies) this.#outbox.settle(reply);
    this.#delivery.miss(frame.gaps);
    this.#delivery.take(frame.events);
  }

  /** The next connection goes to another server, if this one had troubles of its own. */
  #ended(end: ConnectionEnd, server: Server, token: string): void {
    this.#options.servers.failed(server, nextStep(end).error);
    this.#lost(end, token);
  }

  /** A connection ended, or has to. */
  #lost(end: ConnectionEnd, token?: string): void {
    if (this.#liveSince !== undefined && this.#options.clock.now() - this.#liveSince >= STABLE_MS) this.#attempt = 0;
    this.#drop();
    const step = nextStep(end);
    if (step.kind === "retry") this.#wait(step);
    else if (step.kind === "renew" && this.#options.tokens.renewable) void this.#renew(step, token);
    else this.#stop(step);
  }

  async #renew(step: NextStep, refused: string | undefined): Promise<void> {
    const turn = this.#turn;
    this.#enter({ state: "waiting", error: step.error });
    const next = await this.#options.tokens.renew(refused).then(
      () => step,
      (error: unknown) => ({ ...step, error: toParlorError(error) }),
    );
    if (this.#turn !== turn) return;
    // Without the network, the tokens are still there to be tried again.
    if (this.#options.tokens.renewable) this.#wait(next);
    else this.#stop(next);
  }

  #noToken(error: ParlorError): void {
    if (this.#options.tokens.renewable) this.#wait({ kind: "retry", error });
    else this.#stop({ kind: "stop", error });
  }

  #wait({ error, goodbye, afterMs }: NextStep): void {
    const { backoff, clock, random } = this.#options;
    const retryInMs = afterMs ?? fullJitter(backoff, this.#attempt, random);
    this.#attempt += 1;
    this.#cancelWait = clock.after(retryInMs, () => void this.#open());
    this.#enter({ state: "waiting", error, retryInMs, ...(goodbye !== undefined && { goodbye }) });
  }

  #stop({ error, goodbye }: NextStep): void {
    this.#shut(error, { state: "closed", error, ...(goodbye !== undefined && { goodbye }) });
  }

  #shut(error: ParlorError, change: StateChange): void {
    const opened = this.#opened;
    this.#opened = undefined;
    this.#drop();
    this.#enter(change);
    this.#outbox.rejectAll(error);
    opened?.reject(error);
  }

  /** Gives up what is under way. */
  #drop(): void {
    this.#turn += 1;
    this.#cancelWait();
    this.#connection?.close();
    this.#connection = undefined;
    this.#liveSince = undefined;
    this.#delivery.suspend();
    this.#outbox.suspend();
  }

  #enter(change: StateChange): void {
    this.#state = change;
    this.#host.state(change);
  }
}

function refuseToConnect(): never {
  throw new ParlorError(Code.UNAUTHENTICATED, Reason.TOKEN_MISSING, "There is no token: log in first.");
}
