import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Access_Who, accessOf, ParlorError, Reason } from "@parlor/contract";
import { type RetryWorld, withRetries } from "../retry.ts";
import type { TokenKeeper } from "../tokens.ts";
import { type CallOptions, exchange, type HttpTarget } from "./exchange.ts";

/** Calls methods over REST with the client's token, again where that is safe and can help. */
export class Rest {
  readonly #target: HttpTarget;
  readonly #tokens: TokenKeeper;
  readonly #world: RetryWorld;

  constructor(target: HttpTarget, tokens: TokenKeeper, world: RetryWorld) {
    this.#target = target;
    this.#tokens = tokens;
    this.#world = world;
  }

  /**
   * Calls a method. A method that the contract declares idempotent is tried up to 4 times while the server or network is
   * unavailable or the caller is over its rate, with full jitter and not before the time the server names.
   * @throws ParlorError
   */
  call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    options: CallOptions = {},
  ): Promise<MessageShape<M["output"]>> {
    const access = accessOf(method);
    const once =
      access.who === Access_Who.ANYONE
        ? () => exchange(this.#target, { method, request }, options)
        : () => this.#asCaller(method, request, options);
    return access.idempotent ? withRetries(once, this.#world, options.signal) : once();
  }

  async #asCaller<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    options: CallOptions,
  ): Promise<MessageShape<M["output"]>> {
    const token = await this.#tokens.access();
    try {
      return await exchange(this.#target, { method, request, token }, options);
    } catch (error) {
      if (!isExpired(error) || !this.#tokens.renewable) throw error;
      // A refused call took no effect, so any method can be called again.
      const next = await this.#tokens.renew(token);
      return await exchange(this.#target, { method, request, token: next }, options);
    }
  }
}

const isExpired = (error: unknown): boolean => error instanceof ParlorError && error.reason === Reason.TOKEN_EXPIRED;
