import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { request as requestHttps } from "node:https";
import { connect as connectPlain, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { GetMeRequestSchema, ServerFrameSchema } from "@parlor/contract";
import { WebSocket } from "ws";
import { forwardedBytes } from "../../src/domain/forwarded-call.ts";
import { verifiedPeer } from "../../src/transports/verified-peer.ts";
import { type Authority, type Certificate, createAuthority, noOpenssl } from "../support/certificates.ts";
import { framesIn, PREFACE, settings, Type } from "./http2-frames.ts";
import { RawSocket } from "./raw-socket.ts";
import { caller, type Rig, type RigOptions, rig } from "./rig.ts";

const get = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const me = "/api/v1/users/me";

describe("TLS on the one port", { skip: noOpenssl ?? false }, () => {
  let authority: Authority;
  let own: Certificate;

  before(() => {
    authority = createAuthority();
    own = authority.issue("server");
  });
  after(() => authority[Symbol.dispose]());

  const secureRig = (options: RigOptions = {}): Promise<Rig> => rig({ tls: own, ...options });

  async function secure(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ port, host: "127.0.0.1", ca: authority.cert, ...options });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    return socket;
  }

  /** The status of a GET with the token of the rig. */
  async function status(port: number, path: string, options: ConnectionOptions = {}): Promise<number | undefined> {
    const headers = { authorization: "Bearer good" };
    const request = requestHttps({ port, host: "127.0.0.1", path, headers, ca: authority.cert, agent: false, ...options }).end();
    const [response] = await once(request, "response");
    response.resume();
    return response.statusCode;
  }

  test("REST, and its address says https", async () => {
    await using server = await secureRig();
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(await status(server.port, me), 200);
    assert.equal(server.api.last.call.address, "127.0.0.1");
  });

  test("a WebSocket", async () => {
    await using server = await secureRig();
    const url = `${server.url.replace("https", "wss")}/api/v1/realtime`;
    const webSocket = new WebSocket(url, "parlor.v1.json", { ca: authority.cert });
    await once(webSocket, "open");
    webSocket.send(JSON.stringify({ id: 7, ping: {} }));
    const [heard] = await once(webSocket, "message");
    assert.match(String(heard), /"id":7/);
    webSocket.terminate();
  });

  test("gRPC, on both ports", async () => {
    await using server = await secureRig({ grpcPort: 0 });
    for (const port of [server.port, server.listener.grpcPort]) {
      const client = new Client(`localhost:${port}`, credentials.createSsl(authority.cert));
      const bytes = await new Promise<Buffer>((resolve, reject) => {
        const request = Buffer.from(toBinary(GetMeRequestSchema, create(GetMeRequestSchema)));
        const same = (value: Buffer): Buffer => value;
        client.makeUnaryRequest("/parlor.v1.UsersService/GetMe", same, same, request, (error, answer) =>
          error === null ? resolve(answer as Buffer) : reject(error),
        );
      });
      assert.equal(bytes.length, 0);
      client.close();
    }
  });

  test("MQTT, by name and by its first byte", async () => {
    const heard: number[] = [];
    const mqtt = (socket: Duplex): void => void socket.once("data", (bytes: Buffer) => heard.push(bytes[0] ?? 0) && socket.end());
    await using server = await secureRig({ mqtt });
    for (const options of [{ ALPNProtocols: ["mqtt"] }, {}]) {
      const socket = await secure(server.port, options);
      socket.end(Buffer.from([0x10, 0]));
      socket.resume();
      await once(socket, "close");
    }
    assert.deepEqual(heard, [0x10, 0x10]);
  });

  test("the name in the handshake decides; without one, the first bytes do", async () => {
    await using server = await secureRig();
    for (const ALPNProtocols of [["h2"], []]) {
      const socket = await secure(server.port, { ALPNProtocols });
      assert.equal(socket.alpnProtocol, ALPNProtocols[0] ?? false);
      socket.write(Buffer.concat([PREFACE, settings()]));
      const [bytes] = (await once(socket, "data")) as [Buffer];
      assert.ok(framesIn(bytes).some(({ type }) => type === Type.SETTINGS));
      socket.destroy();
    }
    // What a browser offers.
    const named = await secure(server.port, { ALPNProtocols: ["h2", "http/1.1"] });
    assert.equal(named.alpnProtocol, "http/1.1");
    named.write(PREFACE);
    assert.match(String((await once(named, "data"))[0]), /^HTTP\/1\.1 400 /);
    const unnamed = await secure(server.port);
    unnamed.write(get);
    assert.match(String((await once(unnamed, "data"))[0]), /^HTTP\/1\.1 200 /);
    for (const socket of [named, unnamed]) socket.destroy();
    await assert.rejects(secure(server.port, { ALPNProtocols: ["smtp"] }), /no application protocol/i);
    // Not served by this rig.
    await assert.rejects(secure(server.port, { ALPNProtocols: ["mqtt"] }), /no application protocol/i);
  });

  test("TLS 1.1 is refused, 1.2 and 1.3 are not", async () => {
    await using server = await secureRig();
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await assert.rejects(secure(server.port, old), /protocol version/);
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await secure(server.port, { minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
  });

  test("bytes without TLS get a short end, and HTTP is told to use https", async () => {
    await using server = await secureRig();
    await using http = await RawSocket.connect(server.port);
    assert.match(String(await http.send(get).closed), /^HTTP\/1\.1 400 [\s\S]*use https/);
    for (const bytes of [Buffer.from([0x10, 0x0c]), Buffer.from([0, 1, 2, 3]), Buffer.from("16")]) {
      await using raw = await RawSocket.connect(server.port);
      assert.equal((await raw.send(bytes).closed).length, 0);
    }
    assert.equal(await status(server.port, me), 200);
  });

  test("a handshake that is broken ends its connection and nothing else", async () => {
    await using server = await secureRig();
    await using garbage = await RawSocket.connect(server.port);
    garbage.send(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 99]), Buffer.alloc(1000, 7));
    await garbage.closed;
    await using gone = await RawSocket.connect(server.port);
    gone.send(Buffer.from([0x16]));
    gone.socket.resetAndDestroy();
    assert.equal(await status(server.port, me), 200);
  });

  test("1,000 handshakes that stop half-way end in time, and count among the connections of their address", async () => {
    await using server = await secureRig({ patience: { headersMs: 1500, requestMs: 3000 } });
    const begun = Date.now();
    const half = await Promise.all(Array.from({ length: 1000 }, () => RawSocket.connect(server.port)));
    for (const raw of half) raw.send(Buffer.from([0x16, 3, 1, 2, 0, 1]));
    const oneMore = connectPlain({ port: server.port, host: "127.0.0.1" });
    oneMore.on("error", () => {});
    await once(oneMore, "close");
    assert.equal(await status(server.port, me, { localAddress: "127.0.0.2" } as ConnectionOptions), 200);
    await Promise.all(half.map((raw) => raw.closed));
    assert.ok(Date.now() - begun < 10_000);
    assert.equal(await status(server.port, me), 200);
  });

  test("a connection that is silent after its handshake is cut", async () => {
    await using server = await secureRig({ patience: { headersMs: 200, requestMs: 500 } });
    const socket = await secure(server.port);
    socket.resume();
    await once(socket, "close");
  });

  test("closing ends half-open, silent and busy connections", async () => {
    const server = await secureRig();
    const half = await RawSocket.connect(server.port);
    half.send(Buffer.from([0x16, 3]));
    const silent = await secure(server.port);
    const busy = await secure(server.port);
    busy.write(get);
    await once(busy, "data");
    const session: ClientHttp2Session = connectHttp2(server.url, { ca: authority.cert });
    session.on("error", () => {});
    await once(session, "remoteSettings");
    const ends = [once(silent.resume(), "close"), once(busy, "close"), once(session, "close"), half.closed];
    await server.listener.close(2000);
    await Promise.all(ends);
  });

  test("a renewed certificate is for new connections, and the old ones go on", async () => {
    await using server = await secureRig();
    const before = await secure(server.port);
    assert.equal(before.getPeerCertificate().subject.CN, "server");
    server.listener.renewTls(authority.issue("renewed"));
    const later = await secure(server.port);
    assert.equal(later.getPeerCertificate().subject.CN, "renewed");
    before.write(get);
    assert.match(String((await once(before, "data"))[0]), /^HTTP\/1\.1 200 /);
    assert.throws(() => server.listener.renewTls({ cert: Buffer.from("none"), key: own.key }));
    assert.equal(await status(server.port, me), 200);
    for (const socket of [before, later]) socket.destroy();
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`a client certificate is verified, and nobody needs one (${version})`, async () => {
      const seen: boolean[] = [];
      const mqtt = (socket: Duplex): void => {
        seen.push(verifiedPeer(socket as Socket));
        socket.end("x");
      };
      await using server = await secureRig({ mqtt, tls: { ...own, clientCa: authority.cert } });
      using others = createAuthority();
      const good = authority.issue("peer");
      const bad = others.issue("stranger");
      const visit = async (options: ConnectionOptions): Promise<Buffer | undefined> => {
        const socket = await secure(server.port, { minVersion: version, maxVersion: version, ...options });
        assert.equal(socket.isSessionReused(), options.session !== undefined);
        // In TLS 1.3 what can be resumed comes after the handshake.
        let session = socket.getSession();
        socket.on("session", (one) => (session = one));
        socket.write(Buffer.from([0x10, 0]));
        socket.resume();
        await once(socket, "close");
        return session;
      };
      const none = await visit({});
      const known = await visit({ cert: good.cert, key: good.key });
      await visit({ cert: bad.cert, key: bad.key });
      assert.deepEqual(seen.splice(0), [false, true, false]);
      // What is resumed is what was proven.
      for (const session of [none, known]) await visit({ session });
      assert.deepEqual(seen, [false, true]);
    });
  }

  test("a resumed session does not make a service of a client that never showed a certificate", async () => {
    await using server = await secureRig({ tls: { ...own, clientCa: authority.cert }, proofs: { certificates: true } });
    const peer = authority.issue("peer");
    const forwarded = forwardedBytes({ protocol: "rest", address: "192.0.2.1", caller }).toString("base64");
    /** The status of a call that claims to be passed on for somebody, and what a later connection resumes with. */
    const passOn = async (options: ConnectionOptions): Promise<{ readonly status: string; readonly ticket: Buffer | undefined }> => {
      const socket = await secure(server.port, { ALPNProtocols: ["h2"], ...options });
      let ticket: Buffer | undefined;
      socket.on("session", (one) => (ticket = one));
      assert.equal(socket.isSessionReused(), options.session !== undefined);
      const session = connectHttp2(server.url, { createConnection: () => socket });
      session.on("error", () => {});
      const headers = { ":method": "POST", ":path": "/parlor.v1.UsersService/GetMe", "content-type": "application/grpc", te: "trailers" };
      const stream = session.request({ ...headers, "parlor-call-bin": forwarded });
      const statusIn = (fields: IncomingHttpHeaders): string | undefined => fields["grpc-status"] as string | undefined;
      let status: string | undefined;
      stream.on("response", (fields) => (status ??= statusIn(fields))).on("trailers", (fields) => (status ??= statusIn(fields)));
      stream.resume().end(Buffer.alloc(5));
      await once(stream, "close");
      session.destroy();
      return { status: status ?? "none", ticket };
    };
    const stranger = await passOn({});
    assert.equal(stranger.status, "16");
    assert.ok(stranger.ticket);
    assert.equal((await passOn({ session: stranger.ticket })).status, "16");
    assert.equal((await passOn({ cert: peer.cert, key: peer.key })).status, "0");
  });

  test("what a reader does not take is seen as waiting, as without TLS", async () => {
    await using server = await secureRig();
    const opened = server.realtime.next();
    const webSocket = new WebSocket(`${server.url.replace("https", "wss")}/api/v1/realtime`, "parlor.v1.json", { ca: authority.cert });
    const { sink } = await opened;
    await once(webSocket, "open");
    (webSocket as unknown as { readonly _socket: Socket })._socket.pause();
    const frame = sink.encode(create(ServerFrameSchema, { replies: [{ id: 1, result: { case: "pong", value: {} } }] }));
    // More than the buffers of both kernels hold.
    for (let bytes = 0; bytes < 32 * 1024 * 1024; bytes += 64 * 1024) sink.write(Buffer.concat([frame, Buffer.alloc(64 * 1024)]));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(sink.queuedBytes > 16 * 1024 * 1024, String(sink.queuedBytes));
    webSocket.terminate();
  });
});
