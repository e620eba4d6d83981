// Roles x methods x protocols, made from the contract: whoever a method is not for is refused, everybody else is not.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { Access_Scope, Access_Who, AuthService, accessOf, ParlorError, Reason, type User, User_Role, unaryMethods } from "@parlor/contract";
import type { RoleName, ScopeName } from "../../src/main/admin.ts";
import { type Engine, engines } from "../support/databases.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName } from "../support/party.ts";
import { requestFor } from "../support/requests.ts";
import { password, type Running, running } from "../support/running.ts";

interface Caller {
  readonly name: string;
  /** Undefined for nobody. */
  readonly role?: RoleName;
  /** Undefined for a session. */
  readonly scope?: ScopeName;
}

const callers: readonly Caller[] = [
  { name: "nobody" },
  { name: "a guest", role: "GUEST" },
  { name: "a user", role: "USER" },
  { name: "a moderator", role: "MODERATOR" },
  { name: "an administrator", role: "ADMIN" },
  { name: "an administrator's token to read", role: "ADMIN", scope: "READ" },
  { name: "an administrator's token to write", role: "ADMIN", scope: "WRITE" },
  { name: "an administrator's token for rooms", role: "ADMIN", scope: "ROOMS" },
  { name: "an administrator's token to administer", role: "ADMIN", scope: "ADMINISTER" },
  { name: "a user's token to administer", role: "USER", scope: "ADMINISTER" },
];

const order: readonly RoleName[] = ["GUEST", "USER", "MODERATOR", "ADMIN"];
const refusals: readonly Reason[] = [Reason.TOKEN_MISSING, Reason.ROLE_TOO_LOW, Reason.SCOPE_MISSING];

/** With what the contract says that a caller is refused; undefined when it is let in. */
function expected(method: DescMethod, { role, scope }: Caller): Reason | undefined {
  const access = accessOf(method);
  if (access.who === Access_Who.ANYONE) return undefined;
  if (role === undefined) return Reason.TOKEN_MISSING;
  if (order.indexOf(role) < order.indexOf(Access_Who[access.who] as RoleName)) return Reason.ROLE_TOO_LOW;
  if (scope === undefined || access.scope === Access_Scope.ANY || Access_Scope[access.scope] === scope) return undefined;
  return Reason.SCOPE_MISSING;
}

async function reasonOf(answer: Promise<unknown>): Promise<Reason | undefined> {
  try {
    await answer;
    return undefined;
  } catch (error) {
    if (!(error instanceof ParlorError)) throw error;
    assert.notEqual(error.reason, Reason.FAULT, error.message);
    return refusals.includes(error.reason) ? error.reason : undefined;
  }
}

describe("Who may call what", { timeout: 60_000 }, () => {
  let server: Running;
  before(async () => {
    server = await running(engines[0] as Engine);
  });
  after(() => server[Symbol.asyncDispose]());

  /** A session or token of its own for each protocol, since the last call of each ends it. */
  async function arrive(driver: Driver, { role, scope }: Caller): Promise<Person> {
    if (role === undefined) return driver.withToken("", {} as User);
    const username = newName();
    await server.admin.createUser({ username, password, role });
    const person = await driver.logIn(username);
    if (scope === undefined) return person;
    const { token } = await server.admin.createToken({ username, name: "token", scopes: [scope] });
    person.close();
    return driver.withToken(token, person.user);
  }

  // Logging out ends what the others are called with.
  const methods = [...unaryMethods.filter((method) => method !== AuthService.method.logOut), AuthService.method.logOut];

  for (const caller of callers) {
    for (const way of [0, 1]) {
      test(`${caller.name} over ${["gRPC", "REST"][way]}`, async () => {
        const person = await arrive(driversOf(server)[way] as Driver, caller);
        const wrong: string[] = [];
        for (const method of methods) {
          const request = requestFor(method) as MessageInitShape<typeof method.input>;
          const [found, wanted] = [await reasonOf(person.call(method, request)), expected(method, caller)];
          if (found !== wanted) wrong.push(`${method.name}: ${Reason[found ?? 0]} instead of ${Reason[wanted ?? 0]}`);
        }
        person.close();
        assert.deepEqual(wrong, []);
      });
    }

    for (const way of [0, 1, 2]) {
      test(`${caller.name} on a stream, ${["gRPC", "JSON", "protobuf"][way]}`, async () => {
        const person = await arrive(driversOf(server)[way] as Driver, caller);
        const nowhere = "01900000-0000-7000-8000-000000000000";
        const mayFollow = caller.role !== undefined && (caller.scope === undefined || caller.scope === "READ");
        const connecting = person.connect();
        const refused = await reasonOf(connecting);
        assert.equal(Reason[refused ?? 0], Reason[mayFollow ? 0 : caller.role === undefined ? Reason.TOKEN_MISSING : Reason.SCOPE_MISSING]);
        if (refused === undefined) {
          const live = await connecting;
          const found = [
            await reasonOf(live.send(nowhere, "text", "key")),
            await reasonOf(live.markRead(nowhere, 1)),
            await reasonOf(live.setPresence(2)),
          ];
          const wanted = caller.scope === "READ" ? Reason.SCOPE_MISSING : undefined;
          assert.deepEqual(found, [wanted, wanted, wanted]);
        }
        person.close();
      });
    }
  }

  test("the contract's roles are the server's", () => {
    for (const role of order) assert.ok(role in User_Role && role in Access_Who);
  });
});
