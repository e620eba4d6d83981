// Services that know each other by certificates, with no secret between them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { ParlorClient } from "@parlor/client";
import { GetMeRequestSchema, User_Role } from "@parlor/contract";
import { forwardedBytes, serviceMetadata } from "../../src/domain/forwarded-call.ts";
import { type Authority, createAuthority, noOpenssl } from "../support/certificates.ts";
import { Inbox } from "../support/inbox.ts";
import { password } from "../support/running.ts";
import { type Apart, servicesApart, whyNotApart } from "../support/services-apart.ts";

const same = (bytes: Buffer): Buffer => bytes;

describe("Services that know each other by certificates", { skip: whyNotApart ?? noOpenssl ?? false, timeout: 60_000 }, () => {
  let authority: Authority;
  let apart: Apart;
  let folder: string;
  before(async () => {
    authority = createAuthority();
    folder = mkdtempSync(join(tmpdir(), "parlor-services-tls-"));
    apart = await servicesApart({ scheme: "https", env: { PARLOR_SERVICE_TOKEN: "", ...install(authority) } });
  });
  after(async () => {
    await apart[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  /** Puts a certificate of the services, and its authority, where they look for it. */
  function install(by: Authority): Readonly<Record<string, string>> {
    const { certFile, keyFile } = by.issue("service");
    const [cert, key, ca] = ["tls.crt", "tls.key", "ca.crt"].map((name) => join(folder, name)) as [string, string, string];
    copyFileSync(certFile, cert);
    copyFileSync(keyFile, key);
    copyFileSync(by.certFile, ca);
    return { PARLOR_TLS_CERT_FILE: cert, PARLOR_TLS_KEY_FILE: key, PARLOR_TLS_CLIENT_CA_FILE: ca, PARLOR_SERVICE_CA_FILE: ca };
  }

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

  test("certificates of another authority count without a restart, and streams go on", async () => {
    using later = createAuthority();
    const trusted = getCACertificates("default");
    setDefaultCACertificates([...trusted, authority.cert.toString(), later.cert.toString()]);
    const ada = new ParlorClient({ url: `https://localhost:${apart.port}` });
    await ada.signUp({ username: "ada", password });
    const { room } = await ada.rooms.createRoom({ name: "Engines" });
    const heard = new Inbox<string | undefined>();
    ada.on("event", ({ kind }) => heard.put(kind.case === "messageSent" ? kind.value.message?.text : undefined));
    ada.on("state", ({ state }) => states.push(state));
    const states: string[] = [];
    await ada.connect();
    install(later);
    for (const part of apart.parts.values()) part.reloadTls();
    // By calls of its own and by the stream, which is as old as the first certificate.
    await ada.messages.sendMessage({ roomId: room?.id ?? "", text: "by the new ones" });
    await ada.send(room?.id ?? "", "by the old stream");
    await heard.find((text) => text === "by the new ones");
    await heard.find((text) => text === "by the old stream");
    assert.deepEqual(states, ["connecting", "live"]);
    const { key, cert } = authority.issue("of-yesterday");
    assert.equal(await ask(grpc.credentials.createSsl(later.cert, key, cert)), grpc.status.UNAUTHENTICATED);
    ada.close();
    setDefaultCACertificates(trusted);
    assert.deepEqual(apart.faults, []);
  });
});
