import type { Clock } from "./clock.ts";
import type { Backoff } from "./retry.ts";
import type { Cursor } from "./stream/cursors.ts";
import type { WebSocketConstructor } from "./stream/socket.ts";
import type { StoredTokens } from "./tokens.ts";

export interface ClientOptions {
  /**
   * Where the server is, without the path of the interface: `https://chat.example`. Of several nodes of one server the client
   * begins with any, and goes on to the next one whenever the one in use does not answer.
   */
  readonly url: string | readonly string[];
  /** An API token, or any other that does not change. Without it, log in or give `tokens`. */
  readonly token?: string;
  /** The tokens of a session that goes on, as `onTokens` once gave them. */
  readonly tokens?: StoredTokens;
  /** Told of every new pair, to keep it, and of undefined when the session has ended. Tokens are secrets. */
  readonly onTokens?: (tokens: StoredTokens | undefined) => void;
  /** How frames are written on the stream: "json" unless given, or "proto", which is smaller. */
  readonly format?: "json" | "proto";
  /** Where to go on in each room, as `cursors` once gave it; other rooms begin with what happens from now on. */
  readonly resume?: readonly Cursor[];
  /** Read what a resume cannot bring from the rooms' logs and deliver it in order, instead of telling of a gap. */
  readonly fillGaps?: boolean;
  /** Sends and markers that may wait for an answer; 1,000 unless given. More are refused with RESOURCE_EXHAUSTED. */
  readonly maxPending?: number;
  /** Waits before connecting again, with full jitter; 250 ms growing to 30 s unless given. */
  readonly backoff?: Backoff;
  /** The global ones unless given. */
  readonly fetch?: typeof fetch;
  readonly WebSocket?: WebSocketConstructor;
  /** For tests. */
  readonly clock?: Clock;
  /** For tests: a number of at least 0 and below 1. */
  readonly random?: () => number;
}
