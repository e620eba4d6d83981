import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AuthService,
  type LogInRequestSchema,
  type LogInResponse,
  MessagesService,
  type Presence,
  type Presence_Status,
  type SendMessageResponse,
  type SignUpRequestSchema,
  type Tokens,
  type User,
  type Welcome,
} from "@parlor/contract";
import { systemClock } from "./clock.ts";
import { brokenContract } from "./errors.ts";
import { newKey } from "./keys.ts";
import type { ClientOptions } from "./options.ts";
import type { EventBuffer, EventsOptions } from "./readers/event-buffer.ts";
import { type Happenings, Readers } from "./readers/readers.ts";
import { type Api, makeApi } from "./rest/api.ts";
import { exchange, type HttpTarget } from "./rest/exchange.ts";
import { Rest } from "./rest/rest.ts";
import { type RetryWorld, withRetries } from "./retry.ts";
import { Servers } from "./servers.ts";
import type { Cursor } from "./stream/cursors.ts";
import { jsonFrames, protoFrames } from "./stream/frames.ts";
import { Stream, type StreamState } from "./stream/stream.ts";
import { type StoredTokens, storedTokens, TokenKeeper } from "./tokens.ts";

const DEFAULT_MAX_PENDING = 1000;
const DEFAULT_BACKOFF = { baseMs: 250, capMs: 30_000 };

/** One user's way to a Parlor server: every method of the contract over REST, and the stream over a WebSocket. */
export class ParlorClient implements Api, Disposable {
  readonly auth: Api["auth"];
  readonly users: Api["users"];
  readonly rooms: Api["rooms"];
  readonly messages: Api["messages"];
  readonly presence: Api["presence"];
  readonly #tokens: TokenKeeper;
  readonly #stream: Stream;
  readonly #readers = new Readers();
  #userId = "";

  /** Does nothing on the network yet. */
  constructor(options: ClientOptions) {
    const world: RetryWorld = { clock: options.clock ?? systemClock, random: options.random ?? Math.random };
    const servers = new Servers(options.url, world.random);
    const target: HttpTarget = { servers, fetch: options.fetch ?? ((...args) => fetch(...args)), clock: world.clock };
    this.#tokens = makeTokens(options, target, world);
    const rest = new Rest(target, this.#tokens, world);
    ({ auth: this.auth, users: this.users, rooms: this.rooms, messages: this.messages, presence: this.presence } = makeApi(rest));
    this.#stream = makeStream(options, servers, world, this.#tokens, rest, this.#readers);
  }

  /** The tokens in use; undefined when logged out or with a token that does not change. Secrets. */
  get tokens(): StoredTokens | undefined {
    return this.#tokens.tokens;
  }

  /** What the stream does now: "connecting", "live", "waiting" or "closed". */
  get state(): StreamState {
    return this.#stream.state;
  }

  /** The last `seq` delivered in each room, for `resume` of another client. */
  get cursors(): readonly Cursor[] {
    return this.#stream.cursors;
  }

  /** Makes an account and keeps the tokens of its session. */
  async signUp(request: MessageInitShape<typeof SignUpRequestSchema>): Promise<User> {
    return this.#begin(await this.auth.signUp(request));
  }

  /** Begins a session and keeps its tokens. */
  async logIn(request: MessageInitShape<typeof LogInRequestSchema>): Promise<User> {
    return this.#begin(await this.auth.logIn(request));
  }

  /** Ends the session on the server, closes the stream, and drops tokens and cursors. */
  async logOut(): Promise<void> {
    await this.auth.logOut();
    this.#forget();
    this.#tokens.set(undefined);
  }

  /**
   * Opens the stream and keeps it open. Resolves with the first welcome.
   * @throws ParlorError when trying again cannot help, such as UNAUTHENTICATED
   */
  connect(): Promise<Welcome> {
    return this.#stream.connect();
  }

  /** Closes the stream; what waits for an answer is rejected with CANCELLED, and loops over events end. */
  close(): void {
    this.#stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Calls `listener` whenever this happens. The function returned ends that. */
  on<K extends keyof Happenings>(name: K, listener: (value: Happenings[K]) => void): () => void {
    return this.#readers.on(name, listener);
  }

  /**
   * What happens from now on, for a `for await` loop. It ends when the client is closed or the signal is raised; with an error
   * when the stream cannot go on, when events are missing and there is no `onGap`, or when it falls behind with `whenFull: "fail"`.
   */
  events(options: EventsOptions = {}): EventBuffer {
    return this.#readers.events(options);
  }

  /**
   * Sends a message over the stream, after those sent before in the same room. It is sent again after every reconnect until it is
   * answered, and is stored once.
   * @throws ParlorError the server's refusal; RESOURCE_EXHAUSTED when too much waits; CANCELLED when the stream is or gets closed
   */
  send(
    roomId: string,
    text: string,
    { clientMessageId = newKey() }: { readonly clientMessageId?: string } = {},
  ): Promise<SendMessageResponse> {
    return this.#stream.request(`send ${roomId}`, { case: "send", value: { roomId, text, clientMessageId } });
  }

  /** Moves the read marker of a room forward; resolves with where it is now. Throws like `send`. */
  async markRead(roomId: string, seq: number): Promise<number> {
    const { readSeq } = await this.#stream.request(`read ${roomId}`, { case: "markRead", value: { roomId, seq } });
    return readSeq;
  }

  /** Says how to appear to others while connected. Throws like `send`. */
  async setPresence(status: Presence_Status): Promise<Presence> {
    const { presence } = await this.#stream.request("presence", { case: "setPresence", value: { status } });
    if (presence === undefined) throw brokenContract("The answer holds no presence.");
    return presence;
  }

  /** Tells the others in a room that this user is typing; call it every 5 seconds or so. Left out while not connected. */
  typing(roomId: string): void {
    this.#stream.typing(roomId);
  }

  #begin({ user, tokens }: Pick<LogInResponse, "user" | "tokens">): User {
    if (user === undefined || tokens === undefined) throw brokenContract("The answer holds no user or no tokens.");
    // Another user's cursors and unanswered sends are none of this one's business.
    if (this.#userId !== "" && this.#userId !== user.id) this.#forget();
    this.#userId = user.id;
    this.#tokens.set(storedTokens(tokens));
    return user;
  }

  #forget(): void {
    this.#stream.close();
    this.#stream.forget();
  }
}

function makeTokens({ token, tokens, onTokens }: ClientOptions, target: HttpTarget, world: RetryWorld): TokenKeeper {
  const refresh = async (refreshToken: string): Promise<Tokens> => {
    const call = { method: AuthService.method.refreshTokens, request: { refreshToken } };
    // The contract lets a refresh be tried again within 30 s, with the same answer.
    const answer = await withRetries(() => exchange(target, call, { timeoutMs: 8_000 }), world);
    return answer.tokens ?? Promise.reject(brokenContract("The answer holds no tokens."));
  };
  return new TokenKeeper({ clock: world.clock, refresh, onTokens, tokens, token });
}

function makeStream(
  options: ClientOptions,
  servers: Servers,
  world: RetryWorld,
  tokens: TokenKeeper,
  rest: Rest,
  readers: Readers,
): Stream {
  const settings = {
    ...world,
    servers,
    tokens,
    WebSocket: options.WebSocket ?? WebSocket,
    format: options.format === "proto" ? protoFrames : jsonFrames,
    backoff: options.backoff ?? DEFAULT_BACKOFF,
    fillGaps: options.fillGaps ?? false,
    maxPending: options.maxPending ?? DEFAULT_MAX_PENDING,
    resume: options.resume ?? [],
    listEvents: async (roomId: string, afterSeq: number, signal: AbortSignal) =>
      (await rest.call(MessagesService.method.listEvents, { roomId, afterSeq }, { signal })).events,
  };
  return new Stream(settings, readers);
}
