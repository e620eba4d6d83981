// Services that know each other by certificates, with no secret between them.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { json } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { GetMeRequestSchema, User_Role } from "@parlor/contract";
import { forwardedBytes, serviceMetadata } from "../../src/domain/forwarded-call.ts";
import { type Authority, createAuthority, noOpenssl } from "../support/certificates.ts";
import { type Apart, servicesApart, whyNotApart } from "../support/services-apart.ts";

const same = (bytes: Buffer): Buffer => bytes;

describe("Services that know each other by certificates", { skip: whyNotApart ?? noOpenssl ?? false, timeout: 60_000 }, () => {
  let authority: Authority;
  let apart: Apart;
  before(async () => {
    authority = createAuthority();
    const { certFile, keyFile } = authority.issue("service");
    apart = await servicesApart({
      scheme: "https",
      env: {
        PARLOR_SERVICE_TOKEN: "",
        PARLOR_TLS_CERT_FILE: certFile,
        PARLOR_TLS_KEY_FILE: keyFile,
        PARLOR_TLS_CLIENT_CA_FILE: authority.certFile,
        PARLOR_SERVICE_CA_FILE: authority.certFile,
      },
    });
  });
  after(async () => {
    await apart[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
  });

  /** Asks the users service as if for somebody, and gives the status. */
  function ask(credentials: grpc.ChannelCredentials): Promise<grpc.status> {
    const client = new grpc.Client(`localhost:${apart.parts.get("users")?.port}`, credentials);
    const metadata = new grpc.Metadata();
    const caller = { userId: "01900000-0000-7000-8000-000000000000", username: "ada", role: User_Role.ADMIN, sessionId: "s" };
    metadata.set(serviceMetadata.call, forwardedBytes({ protocol: "grpc", address: "192.0.2.1", caller }));
    const request = Buffer.from(toBinary(GetMeRequestSchema, create(GetMeRequestSchema)));
    return new Promise((resolve) => {
      client.makeUnaryRequest("/parlor.v1.UsersService/GetMe", same, same, request, metadata, (error) => {
        client.close();
        resolve(error?.code ?? grpc.status.OK);
      });
    });
  }

  async function read(path: string): Promise<unknown> {
    const asked = get(`https://localhost:${apart.port}${path}`, { ca: authority.cert });
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return json(response);
  }

  test("a gateway with a certificate reaches them all, and their keys", async () => {
    const services = { auth: true, users: true, rooms: true, messages: true, realtime: true };
    assert.deepEqual(await read("/readyz"), { status: "ready", services });
    const { keys } = (await read("/.well-known/jwks.json")) as { readonly keys: readonly unknown[] };
    assert.equal(keys.length, 1);
    // Nobody can say whose token this is but the auth service.
    const client = new grpc.Client(`localhost:${apart.port}`, grpc.credentials.createSsl(authority.cert));
    const metadata = new grpc.Metadata();
    metadata.set("authorization", "Bearer nobody");
    const status = await new Promise((resolve) => {
      client.makeUnaryRequest("/parlor.v1.UsersService/GetMe", same, same, Buffer.alloc(0), metadata, (error) => resolve(error?.code));
    });
    client.close();
    assert.equal(status, grpc.status.UNAUTHENTICATED);
    assert.deepEqual(apart.faults, []);
  });

  test("only who shows a certificate of their authority is a service", async () => {
    const { key, cert } = authority.issue("another-service");
    using strangers = createAuthority();
    const stranger = strangers.issue("stranger");
    assert.equal(
      await ask(grpc.credentials.createSsl(authority.cert, key, cert)),
      grpc.status.NOT_FOUND,
      "it is believed, and nobody has that id",
    );
    assert.equal(await ask(grpc.credentials.createSsl(authority.cert)), grpc.status.UNAUTHENTICATED);
    assert.equal(await ask(grpc.credentials.createSsl(authority.cert, stranger.key, stranger.cert)), grpc.status.UNAUTHENTICATED);
  });
});
