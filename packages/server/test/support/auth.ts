// Accounts on a real store, with a clock that the test moves.

import assert from "node:assert/strict";
import { create, type DescMethod, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { AuthService, ParlorError, Reason, UsersService } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Call, Caller } from "../../src/domain/call.ts";
import type { SecurityRecord } from "../../src/domain/security-log.ts";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import type { Bus } from "../../src/ports/bus.ts";
import { type AuthConfig, createAuth } from "../../src/services/auth/create-auth.ts";
import { createOperator } from "../../src/services/users/operator.ts";
import { createUsersService } from "../../src/services/users/users-service.ts";
import type { Schema } from "../../src/store/schema.ts";

export const minute = 60_000;
export const day = 1440 * minute;

/** The least that bcrypt allows, so that tests are quick; everything else as it is by default. */
export const testConfig: AuthConfig = {
  signUp: true,
  bcryptCost: 4,
  hashConcurrency: 1,
  hashQueue: 100,
  accessTokenMs: 15 * minute,
  refreshTokenMs: 30 * day,
  refreshGraceMs: 30_000,
  issuer: "parlor",
  rateLimits: true,
  logInFailures: 10,
  logInWindowMs: 15 * minute,
};

/** The time of day as a test sets it, in milliseconds. */
export class ManualClock {
  #now = Date.UTC(2030, 0, 1);

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}

export function callFrom(caller?: Caller, more: Partial<Call> = {}): Call {
  return { requestId: "test", protocol: "rest", address: "192.0.2.1", ...(caller ? { caller } : {}), ...more };
}

type Methods<S extends { method: Record<string, DescMethod> }> = {
  [K in keyof S["method"]]: (
    request: MessageInitShape<S["method"][K]["input"]>,
    call?: Call,
  ) => Promise<MessageShape<S["method"][K]["output"]>>;
};

/** The methods of a service, taking and giving what a transport would. */
function methodsOf<S extends { method: Record<string, DescMethod> }>(service: S, impl: object): Methods<S> {
  const methods = Object.entries(service.method).map(([name, { input, output }]) => {
    const run = (impl as Record<string, (request: unknown, call: Call) => Promise<MessageInitShape<typeof output>>>)[name];
    return [
      name,
      async (request: MessageInitShape<typeof input>, call = callFrom()) => create(output, await run?.(create(input, request), call)),
    ];
  });
  return Object.fromEntries(methods);
}

interface NodeOptions {
  readonly bus?: Bus;
  readonly clock?: ManualClock;
  readonly config?: Partial<AuthConfig>;
  readonly readKeysEveryMs?: number;
}

/** One node's accounts; without a bus, the node hears of no other. */
export async function startAuth(
  store: Kysely<Schema>,
  { bus = new MemoryBusHub().join(), clock = new ManualClock(), config, readKeysEveryMs }: NodeOptions = {},
) {
  const records: SecurityRecord[] = [];
  const securityLog = { record: (entry: SecurityRecord) => void records.push(entry) };
  const auth = await createAuth({ store, bus, clock, config: { ...testConfig, ...config }, securityLog, readKeysEveryMs });
  const context = { store, clock, identities: auth.identities, pageTokens: auth.pageTokens, securityLog };
  return {
    ...auth,
    clock,
    records,
    auth: methodsOf(AuthService, auth.authService),
    users: methodsOf(UsersService, createUsersService(context)),
    operator: createOperator(context, auth.credentials),
  };
}

export type Node = Awaited<ReturnType<typeof startAuth>>;

let people = 0;

/** Somebody new, signed up on a node. */
export async function newcomer(node: Node, password = "correct horse battery") {
  const username = `user-${++people}-${process.pid}`;
  const { user, tokens } = await node.auth.signUp({ username, password, displayName: `Person ${people}` });
  assert.ok(user && tokens);
  const caller = await node.identities.verify(tokens.accessToken);
  return { username, password, id: user.id, user, tokens, caller, call: callFrom(caller) };
}

/** The refusal with which a call must end. */
export async function refusal(answer: Promise<unknown>, reason: Reason): Promise<ParlorError> {
  const error = await answer.then(
    () => assert.fail(`it was accepted, not refused as ${Reason[reason]}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ParlorError)) throw error;
  assert.equal(Reason[error.reason], Reason[reason]);
  return error;
}
