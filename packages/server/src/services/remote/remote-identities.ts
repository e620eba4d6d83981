import { createHash } from "node:crypto";
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { AuthService, httpRuleOf, Reason, UsersService, VerifyTokenRequestSchema, type VerifyTokenResponse } from "@parlor/contract";
import { BoundedMap } from "../../domain/bounded-map.ts";
import type { Call, Caller } from "../../domain/call.ts";
import { callerOfClaims } from "../../domain/forwarded-call.ts";
import { newId } from "../../domain/ids.ts";
import type { Bus } from "../../ports/bus.ts";
import type { Clock } from "../../ports/clock.ts";
import { Notices } from "../auth/notices.ts";
import { sessionRevoked, tokenExpired, tokenInvalid } from "../auth/token-refusals.ts";
import type { ServiceChannel } from "./service-channel.ts";

const freshMs = 5000;
const most = 10_000;
const longestToken = 4096;
/** What the processes' clocks may differ. */
const skewMs = 5000;

interface Known {
  readonly caller: Caller;
  readonly askedAt: number;
}

/**
 * Turns tokens into callers where there is no Store to look in: AuthService is asked. Its answers count for 5 s at most; what
 * this process passes on, or is told by the bus, makes it forget them at once.
 */
export class RemoteIdentities {
  readonly #auth: ServiceChannel;
  readonly #clock: Clock;
  readonly #notices: Notices;
  readonly #known = new BoundedMap<string, Known>(most);
  /** Questions under way, which all who ask the same share. */
  readonly #asking = new Map<string, Promise<Caller>>();
  /** Counts what made this process forget something: an answer to a question from before is not kept. */
  #forgotten = 0;

  constructor({ auth, bus, clock }: { readonly auth: ServiceChannel; readonly bus: Bus; readonly clock: Clock }) {
    this.#auth = auth;
    this.#clock = clock;
    this.#notices = new Notices(bus, {
      noticed: ({ userId, sessionIds = [] }) => this.#forget(userId === undefined ? [] : [userId], sessionIds),
      lost: () => this.#forgetAll(),
    });
  }

  /** @throws ParlorError UNAUTHENTICATED: TOKEN_INVALID, TOKEN_EXPIRED or SESSION_REVOKED; UNAVAILABLE */
  async verify(token: string): Promise<Caller> {
    if (token.length > longestToken) throw tokenInvalid();
    const key = createHash("sha256").update(token).digest("base64");
    const known = this.#known.get(key);
    if (known && this.#isFresh(known)) return known.caller;
    return this.#asking.get(key) ?? this.#ask(key, token);
  }

  /** To be told of every call that AuthService or UsersService answered: it may have ended sessions, or changed a role. */
  answered(method: DescMethod, request: Message, { caller }: Call): void {
    const mayChange = method.parent === AuthService || method.parent === UsersService;
    if (!mayChange || httpRuleOf(method)?.verb === "GET" || method === AuthService.method.verifyToken) return;
    const { userId, sessionId, tokenId } = request as { readonly userId?: string; readonly sessionId?: string; readonly tokenId?: string };
    this.#forget(given(userId, caller?.userId), given(sessionId, tokenId));
  }

  close(): void {
    this.#notices.close();
  }

  #isFresh({ caller, askedAt }: Known): boolean {
    const now = this.#clock.now();
    const age = now - askedAt;
    return age >= 0 && age < freshMs && (caller.expiresAt === undefined || caller.expiresAt + skewMs > now);
  }

  #ask(key: string, token: string): Promise<Caller> {
    const asking = this.#answer(key, token).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #answer(key: string, token: string): Promise<Caller> {
    const askedAt = this.#clock.now();
    const forgotten = this.#forgotten;
    const call: Call = { requestId: newId(), protocol: "internal", address: "" };
    const request = create(VerifyTokenRequestSchema, { token });
    const { outcome } = (await this.#auth.call(AuthService.method.verifyToken, request, call)) as VerifyTokenResponse;
    if (outcome.case !== "claims") throw refusalOf(outcome.value);
    const caller = callerOfClaims(outcome.value);
    if (forgotten === this.#forgotten) this.#known.set(key, { caller, askedAt });
    return caller;
  }

  #forget(userIds: readonly string[], sessionIds: readonly string[]): void {
    this.#forgotten++;
    this.#asking.clear();
    const isMeant = ({ caller }: Known): boolean => userIds.includes(caller.userId) || sessionIds.includes(caller.sessionId);
    for (const [key, known] of [...this.#known.entries()]) if (isMeant(known)) this.#known.delete(key);
  }

  #forgetAll(): void {
    this.#forgotten++;
    this.#asking.clear();
    this.#known.clear();
  }
}

function given(...ids: readonly (string | undefined)[]): string[] {
  return ids.filter((id) => id !== undefined && id !== "") as string[];
}

function refusalOf(reason: Reason | undefined) {
  if (reason === Reason.TOKEN_EXPIRED) return tokenExpired();
  return reason === Reason.SESSION_REVOKED ? sessionRevoked() : tokenInvalid();
}
