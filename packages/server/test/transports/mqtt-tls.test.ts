// Whole sessions of devices over TLS, on the one port and by the client of npm.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:https";
import { json } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import type { IClientOptions } from "mqtt";
import { type Authority, createAuthority, noOpenssl } from "../support/certificates.ts";
import { engines } from "../support/databases.ts";
import { connectDevice, type Device, eventsOf, sendTo, texts } from "../support/mqtt-device.ts";
import { password, type Running, running } from "../support/running.ts";

const [engine] = engines;

describe("MQTT over TLS", { skip: noOpenssl ?? false }, () => {
  let authority: Authority;
  let server: Running;
  let token: string;
  let roomId: string;
  before(async () => {
    authority = createAuthority();
    const { certFile, keyFile } = authority.issue("server");
    server = await running(engine as NonNullable<typeof engine>, { PARLOR_TLS_CERT_FILE: certFile, PARLOR_TLS_KEY_FILE: keyFile });
    token = (await post<{ tokens: { accessToken: string } }>("/auth/signup", { username: "ada", password })).tokens.accessToken;
    roomId = (await post<{ room: { id: string } }>("/rooms", { name: "Lab" })).room.id;
  });
  after(async () => {
    assert.deepEqual(server.faults, []);
    await server[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
  });

  async function post<T>(path: string, body: object): Promise<T> {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const options = { port: server.port, path: `/api/v1${path}`, method: "POST", headers, ca: authority.cert, agent: false };
    const call = request(options).end(JSON.stringify(body));
    const [response] = await once(call, "response");
    return (await json(response)) as T;
  }

  const ways: Readonly<Record<string, (port: number) => [url: string, options: IClientOptions]>> = {
    "mqtts, by name": (port) => [`mqtts://localhost:${port}`, { ca: authority.cert, ALPNProtocols: ["mqtt"] }],
    "mqtts, by its first bytes": (port) => [`mqtts://localhost:${port}`, { ca: authority.cert }],
    wss: (port) => [`wss://localhost:${port}/mqtt`, { wsOptions: { ca: authority.cert } }],
  };
  for (const [name, way] of Object.entries(ways))
    for (const protocolVersion of [4, 5] as const)
      test(`${name}: QoS 1 both ways, and a session that goes on (level ${protocolVersion})`, async () => {
        const [url, options] = way(server.port);
        const connect = (): Promise<Device> =>
          connectDevice(url, {
            ...options,
            protocolVersion,
            clean: false,
            clientId: `${name} ${protocolVersion}`,
            username: "ada",
            password: token,
            ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 3600 } }),
          });
        const first = await connect();
        if (url.startsWith("mqtts")) assert.equal((first.client.stream as TLSSocket).alpnProtocol, options.ALPNProtocols ? "mqtt" : false);
        assert.equal(first.connack.sessionPresent, false);
        await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
        await first.client.publishAsync(sendTo(roomId), "one", { qos: 1 });
        await first.inbox.until(() => texts(first.inbox).includes("one"));
        assert.equal(first.inbox.items[0]?.packet.qos, 1);
        await first.client.endAsync();
        await post(`/rooms/${roomId}/messages`, { text: "two" });
        await using second = await connect();
        assert.equal(second.connack.sessionPresent, true);
        await second.client.publishAsync(sendTo(roomId), "three", { qos: 1 });
        await second.inbox.until(() => texts(second.inbox).includes("three"));
        assert.deepEqual(texts(second.inbox), ["two", "three"]);
      });

  test("a client that does not know the authority is not connected", async () => {
    await assert.rejects(connectDevice(`mqtts://localhost:${server.port}`, { password: token, username: "ada" }), /certificate/);
  });
});
