import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { RoomsService, UsersService } from "@parlor/contract";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { openPostgres } from "../../src/engines/database-postgres.ts";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { type Log, noLog } from "../../src/ports/log.ts";
import { type CollectedSpan, type Collector, startCollector } from "../support/collector.ts";
import { engines, freshPglite, freshPostgres } from "../support/databases.ts";
import { clientDriver } from "../support/drivers/client.ts";
import { Inbox } from "../support/inbox.ts";
import { password, testEnvironment } from "../support/running.ts";
import { partNames, servicesApart, whyNotApart } from "../support/services-apart.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const callerSpan = "b7ad6b7169203331";
const text = "the tree of a send";
const noPostgres = engines.find(({ name }) => name === "postgres")?.missing ?? false;

function environment({ url }: Pick<Collector, "url">, more: Record<string, string> = {}) {
  return loadConfig({ ...testEnvironment, OTEL_EXPORTER_OTLP_ENDPOINT: url, ...more });
}

async function send(server: RunningServer, token: string, roomId: string, flags = "01"): Promise<void> {
  const response = await fetch(`${server.url}/api/v1/rooms/${roomId}/messages`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      traceparent: `00-${traceId}-${callerSpan}-${flags}`,
    },
    body: JSON.stringify({ text }),
  });
  assert.equal(response.status, 200, await response.text());
}

test("a send is one trace, from the call over the commit and the bus to the fan-out on another node", { skip: noPostgres }, async () => {
  await using collector = await startCollector();
  const { url, close, database } = await freshPostgres();
  const bus = new MemoryBusHub();
  const near = await startServer(environment(collector, { OTEL_SERVICE_NAME: "near" }), { database, bus: bus.join() });
  const far = await startServer(environment(collector, { OTEL_SERVICE_NAME: "far" }), {
    database: await openPostgres({ url }),
    bus: bus.join(),
  });
  const ada = await clientDriver(near.url, "json").signUp("ada");
  const { room } = await ada.call(RoomsService.method.createRoom, { name: "Engines" });
  const roomId = room?.id ?? "";
  const listening = await clientDriver(far.url, "json").withToken(ada.token, ada.user).connect();
  await send(near, ada.token, roomId);
  await listening.inbox.find((event) => event.kind.case === "messageSent");
  listening.close();
  ada.close();
  await near.close();
  await far.close();
  await close();

  const spans = collector.spans.filter((span) => span.traceId === traceId);
  const one = (name: string): CollectedSpan => {
    const found = spans.filter((span) => span.name === name);
    assert.equal(found.length, 1, `${name} among ${spans.map((span) => span.name)}`);
    return found[0] as CollectedSpan;
  };
  const call = one("MessagesService.SendMessage");
  assert.equal(call.parentId, callerSpan);
  assert.deepEqual([call.attributes["parlor.protocol"], call.attributes["rpc.response.status_code"], call.failed], ["rest", "OK", false]);
  assert.equal(one("commit").parentId, call.id);
  assert.equal(spans.find(({ name, parentId }) => name.startsWith("insert ") && parentId === one("commit").id)?.failed, false);
  assert.equal(one("publish room").parentId, one("commit").id);
  assert.equal(one("receive room").parentId, one("publish room").id);
  assert.equal(one("fan out").parentId, one("receive room").id);
  assert.equal(one("fan out").attributes["parlor.readers"], 1);
  assert.deepEqual(
    [call, one("fan out")].map(({ resource }) => resource["service.name"]),
    ["near", "far"],
  );
  assert.match(String(call.resource["service.version"]), /^\d+\.\d+/);
  assert.ok(call.resource["service.instance.id"] !== one("fan out").resource["service.instance.id"]);

  for (const secret of [ada.token, password, text]) {
    assert.ok(!collector.bytes.some((bytes) => bytes.includes(secret)), `${secret} was sent to the collector`);
  }
});

test("a caller that does not record its trace decides so for ours; a refusal is no failure", async () => {
  await using collector = await startCollector();
  const { database, close } = await freshPglite();
  const server = await startServer(environment(collector), { database });
  const ada = await clientDriver(server.url, "json").signUp("ada");
  const { room } = await ada.call(RoomsService.method.createRoom, { name: "Engines" });
  await send(server, ada.token, room?.id ?? "", "00");
  await assert.rejects(ada.call(RoomsService.method.getRoom, { roomId: "018f0000-0000-7000-8000-000000000001" }));
  ada.close();
  await server.close();
  await close();
  assert.deepEqual(
    collector.spans.filter((span) => span.traceId === traceId),
    [],
  );
  const refused = collector.spans.find(({ name }) => name === "RoomsService.GetRoom");
  assert.deepEqual([refused?.attributes["rpc.response.status_code"], refused?.failed], ["NOT_FOUND", false]);
});

test("a collector that takes nothing costs one warning, and nothing else", async () => {
  const refusing = createServer((request, response) => void request.resume().on("end", () => response.writeHead(400).end()));
  await once(refusing.listen(0, "127.0.0.1"), "listening");
  const { database, close } = await freshPglite();
  const warnings = new Inbox<string>();
  const log: Log = { ...noLog, warn: (_fields, message) => warnings.put(message), child: () => log };
  const { port } = refusing.address() as AddressInfo;
  const server = await startServer(environment({ url: `http://127.0.0.1:${port}` }), { database, log });
  const ada = await clientDriver(server.url, "json").signUp("ada");
  // More spans than go out at once.
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 30 }, () => ada.call(UsersService.method.getMe, {})));
  await warnings.find((message) => message.includes("collector"));
  ada.close();
  await server.close();
  await close();
  refusing.close();
  assert.equal(warnings.items.filter((message) => message.includes("collector")).length, 1);
});

test("services apart are one trace: the gateway's call is the parent of the service's", { skip: whyNotApart ?? false }, async () => {
  await using collector = await startCollector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const names = partNames.map((part) => [part, { OTEL_SERVICE_NAME: part }]);
  const apart = await servicesApart({ env, only: Object.fromEntries(names) });
  const ada = await clientDriver(apart.url, "json").signUp("ada");
  const { room } = await ada.call(RoomsService.method.createRoom, { name: "Engines" });
  await send(apart.server, ada.token, room?.id ?? "");
  ada.close();
  await apart[Symbol.asyncDispose]();
  const calls = collector.spans.filter((span) => span.traceId === traceId && span.name === "MessagesService.SendMessage");
  const [gateway, service] = ["gateway", "rooms,messages"].map((name) => calls.find(({ resource }) => resource["service.name"] === name));
  assert.equal(gateway?.parentId, callerSpan);
  assert.ok(service && service.parentId === gateway?.id);
  assert.ok(collector.spans.some(({ name, parentId }) => name === "commit" && parentId === service.id));
});
