// Whoever is not a service is believed nothing that only services may say.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, type DescMethod, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  AuthService,
  ErrorSchema,
  GetMeRequestSchema,
  GetMeResponseSchema,
  MqttSessionsService,
  ParlorError,
  RealtimeService,
  Reason,
  User_Role,
  UsersService,
  VerifyTokenRequestSchema,
} from "@parlor/contract";
import { forwardedBytes, serviceMetadata } from "../../src/domain/forwarded-call.ts";
import type { Person } from "../support/drivers/driver.ts";
import { grpcDriver } from "../support/drivers/grpc.ts";
import { newName } from "../support/party.ts";
import { refused } from "../support/refused.ts";
import { type Apart, type PartName, servicesApart, serviceToken, whyNotApart } from "../support/services-apart.ts";

const same = (bytes: Buffer): Buffer => bytes;
const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;
const wrongTokens = [undefined, "", "wrong", `${serviceToken}x`, serviceToken.slice(0, -1)];

describe("Forged identities", { skip: whyNotApart ?? false }, () => {
  let apart: Apart;
  let ada: Person;
  before(async () => {
    apart = await servicesApart();
    ada = await grpcDriver(apart.port).signUp(newName());
  });
  after(async () => {
    ada.close();
    await apart[Symbol.asyncDispose]();
  });

  function forged(token: string | undefined): grpc.Metadata {
    const { id: userId, username } = ada.user;
    const metadata = new grpc.Metadata();
    const caller = { userId, username, role: User_Role.ADMIN, sessionId: userId };
    metadata.set(serviceMetadata.call, forwardedBytes({ protocol: "grpc", address: "192.0.2.1", caller }));
    if (token !== undefined) metadata.set(serviceMetadata.token, token);
    return metadata;
  }

  async function ask(part: PartName, method: DescMethod, request: Buffer, metadata: grpc.Metadata): Promise<Buffer> {
    const client = new grpc.Client(`127.0.0.1:${apart.parts.get(part)?.port}`, grpc.credentials.createInsecure());
    try {
      return await new Promise((resolve, reject) => {
        client.makeUnaryRequest(pathOf(method), same, same, request, metadata, (error, answer) => {
          if (error) reject(errorOf(error.metadata));
          else resolve(answer as Buffer);
        });
      });
    } finally {
      client.close();
    }
  }

  const getMe = Buffer.from(toBinary(GetMeRequestSchema, create(GetMeRequestSchema)));

  for (const part of ["gateway", "users"] as const) {
    for (const token of wrongTokens) {
      test(`${part} believes no identity with ${token === undefined ? "no" : "a wrong"} service token (${token?.length ?? 0} bytes)`, async () => {
        await refused(ask(part, UsersService.method.getMe, getMe, forged(token)), Reason.NOT_A_SERVICE);
      });
    }
  }

  test("a service takes no calls of clients, whatever their token", async () => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${ada.token}`);
    await refused(ask("users", UsersService.method.getMe, getMe, metadata), Reason.NOT_A_SERVICE);
    const answer = await fetch(`http://127.0.0.1:${apart.parts.get("users")?.port}/api/v1/users/me`, {
      headers: { authorization: `Bearer ${ada.token}` },
    });
    assert.equal(answer.status, 404);
  });

  test("the service token by itself makes nobody a user", async () => {
    const metadata = new grpc.Metadata();
    metadata.set(serviceMetadata.token, serviceToken);
    await refused(ask("users", UsersService.method.getMe, getMe, metadata), Reason.TOKEN_MISSING);
  });

  test("with it an identity is believed, and what only services may ask is answered", async () => {
    const { user } = fromBinary(GetMeResponseSchema, await ask("users", UsersService.method.getMe, getMe, forged(serviceToken)));
    assert.equal(user?.id, ada.user.id);
    const request = Buffer.from(toBinary(VerifyTokenRequestSchema, create(VerifyTokenRequestSchema, { token: ada.token })));
    await refused(ask("auth", AuthService.method.verifyToken, request, forged(undefined)), Reason.NOT_A_SERVICE);
  });

  test("what is no part of the contract is asked by services for themselves, and by no person of any role", async () => {
    const { takeSession } = MqttSessionsService.method;
    const wish = { userId: ada.user.id, clientId: "hers", keptSeconds: 60 };
    const request = Buffer.from(toBinary(takeSession.input, create(takeSession.input, wish)));
    const signedIn = new grpc.Metadata();
    signedIn.set("authorization", `Bearer ${ada.token}`);
    for (const part of ["gateway", "realtime"] as const)
      for (const metadata of [signedIn, forged("wrong")]) await refused(ask(part, takeSession, request, metadata), Reason.NOT_A_SERVICE);
    await refused(ask("realtime", takeSession, request, forged(serviceToken)), Reason.ROLE_TOO_LOW);
  });

  test("a stream with a forged origin is refused before it begins", async () => {
    const client = new grpc.Client(`127.0.0.1:${apart.parts.get("realtime")?.port}`, grpc.credentials.createInsecure());
    const stream = client.makeBidiStreamRequest(pathOf(RealtimeService.method.connect), same, same, forged("wrong"));
    stream.on("error", () => undefined);
    stream.resume();
    const status = await new Promise<grpc.StatusObject>((resolve) => stream.once("status", resolve));
    client.close();
    assert.equal(errorOf(status.metadata).reason, Reason.NOT_A_SERVICE);
    assert.equal(status.code, grpc.status.UNAUTHENTICATED);
  });

  test("a client that says more than the realtime service takes is let go, however small its frames are", async () => {
    await using other = await servicesApart();
    await other.stop("realtime");
    const socket = new WebSocket(`${other.url.replace("http", "ws")}/api/v1/realtime`, ["parlor.v1.json"]);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve, { once: true }));
    for (let n = 0; n < 10_000; n++) socket.send(`{"ping":{}}`);
    assert.equal((await closed).code, 4012);
  });

  test("a process with another token is no service, and its clients are not told that their own token is bad", async () => {
    await using other = await servicesApart({ only: { gateway: { PARLOR_SERVICE_TOKEN: "x".repeat(32) } } });
    const { code } = await refused(grpcDriver(other.port).signUp(newName()), Reason.FAULT);
    assert.equal(code, grpc.status.INTERNAL);
    assert.match(other.faults.join("\n"), /PARLOR_SERVICE_TOKEN/);
  });
});

function errorOf(metadata: grpc.Metadata): ParlorError {
  return ParlorError.fromWire(fromBinary(ErrorSchema, metadata.get("parlor-error-bin")[0] as Buffer));
}
