// One connection to one Redis server. It lives until it fails, and never comes back: whoever wants another opens one.
import { createClient, type RedisClientOptions } from "@redis/client";
import type { RedisHost, RedisPlace } from "./redis-url.ts";

/** Time to connect and to introduce oneself (milliseconds). */
const openWithinMs = 2000;
/** How often Redis is asked for a sign of life (milliseconds): it counts as lost when an answer has not come by the second time after. */
const pingMs = 500;

export interface LinkHandlers {
  message(channel: string, payload: Buffer): void;
  /** Called once, unless `close` was called before. */
  lost(error: Error): void;
}

export class RedisLink {
  readonly host: RedisHost;
  readonly #client: ReturnType<typeof clientFor>;
  readonly #handlers: LinkHandlers;
  #pings: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #ended = false;

  private constructor(place: RedisPlace, host: RedisHost, handlers: LinkHandlers) {
    this.host = host;
    this.#handlers = handlers;
    this.#client = clientFor(place, host);
    // Until it is open, `connect` tells of failures.
    this.#client.on("error", (error: Error) => this.#pings && this.#fail(error));
    this.#client.on("sharded-channel-moved", () => this.#fail(new Error("channels moved to another server")));
  }

  /** @throws Error why there is no connection, which may name the host, and never the password */
  static async open(place: RedisPlace, host: RedisHost, handlers: LinkHandlers): Promise<RedisLink> {
    const link = new RedisLink(place, host, handlers);
    try {
      await link.#connect();
      return link;
    } catch (error) {
      link.close();
      throw plainError(error as Error, place);
    }
  }

  /** Sends a command and waits for its answer. */
  command(...args: string[]): Promise<unknown> {
    return this.#client.sendCommand(args);
  }

  /** Commands of one turn of the event loop go out together. */
  publish(channel: string, payload: Buffer): Promise<unknown> {
    return this.#client.sPublish(channel, payload);
  }

  /** The channels must have one hash slot where there is a cluster. Resolves when Redis has confirmed. */
  async subscribe(channels: string[]): Promise<void> {
    await this.#client.sSubscribe(channels, this.#onMessage, true);
  }

  async unsubscribe(channels: string[]): Promise<void> {
    // With the listener, so that the driver can tell this from a subscription that comes right after it.
    await this.#client.sUnsubscribe(channels, this.#onMessage, true);
  }

  close(): void {
    this.#ended = true;
    clearInterval(this.#pings);
    this.#client.destroy();
  }

  readonly #onMessage = (payload: Buffer, channel: Buffer): void => this.#handlers.message(channel.toString(), payload);

  async #connect(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${openWithinMs} ms`)), openWithinMs);
    try {
      const connected = this.#client.connect();
      connected.catch(() => {});
      await Promise.race([connected, late.promise]);
    } finally {
      clearTimeout(timer);
    }
    this.#pings = setInterval(() => this.#ping(), pingMs);
  }

  /** Counts beats, not time: when this process itself was held up, the answer may be waiting to be read. */
  #ping(): void {
    if (this.#unanswered === 2) this.#fail(new Error("Redis does not answer"));
    if (this.#unanswered++ > 0) return;
    this.#client.ping().then(
      () => {
        this.#unanswered = 0;
      },
      (error: Error) => this.#fail(error),
    );
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.close();
    this.#handlers.lost(error);
  }
}

function clientFor(place: RedisPlace, { host, port }: RedisHost) {
  const account = { ...(place.username && { username: place.username }), ...(place.password && { password: place.password }) };
  const socket = { host, port, connectTimeout: openWithinMs, reconnectStrategy: false as const };
  return createClient({
    ...account,
    socket: place.tls ? { ...socket, tls: true as const } : socket,
    RESP: 3,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
  } satisfies RedisClientOptions);
}

/** An old Redis repeats what it does not understand, and that may be the password. */
function plainError(error: Error, { password, username }: RedisPlace): Error {
  if (/unknown command|NOPROTO/i.test(error.message)) return new Error("Redis 7 or newer is needed");
  let message = error.message;
  for (const secret of [password, username]) if (secret) message = message.replaceAll(secret, "...");
  const { code } = error as NodeJS.ErrnoException;
  return new Error(message || code || "the connection failed");
}
