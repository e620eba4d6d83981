// The composition root: config -> engines -> services -> transports, wired by hand.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Hub } from "../realtime/hub.ts";
import { Dispatcher } from "../services/dispatcher.ts";
import { RemoteIdentities } from "../services/remote/remote-identities.ts";
import { RemoteRealtime } from "../services/remote/remote-realtime.ts";
import { RemoteSessions } from "../services/remote/remote-sessions.ts";
import { type Listener, listen } from "../transports/listen.ts";
import { openAccounts } from "./accounts.ts";
import type { Admin } from "./admin.ts";
import { adminOf } from "./admin-of.ts";
import { openBridge } from "./bridge.ts";
import type { Config } from "./config.ts";
import { type Mqtt, type MqttParts, openMqtt, openSessions } from "./mqtt.ts";
import { type Base, type Node, openBase, openNode, type StartOptions } from "./node.ts";
import { operationsOf } from "./operations.ts";
import { Places } from "./places.ts";
import { openHub } from "./realtime.ts";
import { openRooms } from "./rooms.ts";
import { securityLog } from "./security-log.ts";
import { dispatching, type Opened, servicesHere } from "./services.ts";
import { openTlsFiles, type TlsFiles } from "./tls-files.ts";

export type { StartOptions } from "./node.ts";

/** On a shutdown, clients come back within this time, each at its own moment (milliseconds). */
const comeBackMs = 5000;

export interface RunningServer {
  readonly port: number;
  readonly grpcPort: number | undefined;
  readonly mqttPort: number | undefined;
  /** Where a browser on this machine finds it, without a slash at its end. */
  readonly url: string;
  /** Resolves when the server can only be started again, with why. */
  readonly lost: Promise<Error>;
  /** Where the auth service is. */
  readonly admin: Admin | undefined;
  /** Reads the TLS files now; they are read by themselves some seconds after they changed. */
  reloadTls(): void;
  /** Says goodbye to everyone, answers what was accepted, and ends. */
  close(): Promise<void>;
}

/** Starts a server. @throws ConfigError, DatabaseError, SchemaError, SigningKeyError, Error when the port is taken */
export async function startServer(config: Config, options: StartOptions = {}): Promise<RunningServer> {
  const tls = openTlsFiles(config);
  const places = new Places(config, tls.material);
  const base = await openBase(config, options);
  let node: Node | undefined;
  try {
    node = places.needStore ? await openNode(base, options) : undefined;
    if (node && !places.areAllHere && !options.bus && config.redis.url === undefined)
      base.log.warn({}, "Without REDIS_URL, services in other processes hear seconds late of what happens here");
    return await serve(base, places, node && { node, ...(await open(node, places)) }, tls);
  } catch (error) {
    places.close();
    await base.bus.close();
    await node?.database.close();
    await base.tracing?.close();
    throw error;
  }
}

/** What a process with the Store has; a gateway by itself has nothing. */
type Here = Opened & { readonly node: Node };

/** Opens no more than the services here need. */
async function open(node: Node, places: Places): Promise<Opened> {
  const accounts = await openAccounts(node.config, node.store, node.bus, node.clock, securityLog(node.log));
  const rooms = places.has("rooms", "messages", "realtime") ? openRooms(node) : undefined;
  const hub = rooms && places.has("realtime") ? openHub(node, accounts, rooms) : undefined;
  const sessions = places.has("gateway", "realtime") ? openSessions(node) : undefined;
  return { accounts, rooms, hub, sessions };
}

async function serve(base: Base, places: Places, here: Here | undefined, tls: TlsFiles): Promise<RunningServer> {
  const { config, log } = base;
  const identities = here?.accounts.auth.identities ?? new RemoteIdentities({ ...base, auth: places.elsewhere("auth") });
  const answered = identities instanceof RemoteIdentities ? identities.answered.bind(identities) : undefined;
  const services = [...(here ? servicesHere(here.node, places, here) : []), ...places.remotes(answered)];
  const dispatcher = new Dispatcher(
    dispatching(base, (token) => identities.verify(token)),
    services,
  );
  const realtime = here?.hub ?? remoteRealtime(places, base);
  here?.hub?.start(dispatcher);
  const mqtt = realtime && places.has("gateway") ? mqttOf(base, places, here, { api: dispatcher, realtime }) : undefined;
  const listener = await listen({
    config: { ...config.server, connectionsPerAddress: config.limits.connectionsPerAddress, frameBytes: config.limits.frameBytes },
    api: dispatcher,
    realtime,
    mqtt: mqtt?.door,
    operations: operationsOf(base, places, here),
    documents: { openapi: contractFile("openapi.json"), asyncapi: contractFile("asyncapi.json") },
    tls: tls.material.identity,
    proofs: places.proofs,
    forClients: places.has("gateway"),
    log,
  });
  // Not before: where the port is taken, the database is closed at once.
  if (places.has("rooms")) here?.rooms?.purge.start();
  if (places.has("rooms")) here?.rooms?.retention.start();
  tls.follow((material) => {
    if (material.identity) listener.renewTls(material.identity);
    places.renewTls(material);
  }, log);
  if (tls.endsAt !== undefined) base.metrics.watch("tls_certificate_expiry_timestamp_seconds", () => (tls.endsAt ?? 0) / 1000);
  const bridge = here && realtime && (await openBridge(here.node, dispatcher, realtime));
  const close = async (): Promise<void> => {
    tls.close();
    await bridge?.close();
    await quiet(base, listener, realtime, here, mqtt);
    identities.close();
    places.close();
    await base.bus.close();
    await here?.node.database.close();
    await base.tracing?.close();
  };
  return {
    port: listener.port,
    grpcPort: listener.grpcPort,
    mqttPort: listener.mqttPort,
    url: config.server.publicUrl ?? listener.url,
    lost: here?.node.lost ?? new Promise(() => {}),
    admin: here && places.has("auth") ? adminOf(here.accounts) : undefined,
    reloadTls: () => tls.reload(),
    close,
  };
}

/** Only a gateway has clients whose streams are elsewhere. */
function remoteRealtime(places: Places, base: Base): RemoteRealtime | undefined {
  return places.has("gateway") ? new RemoteRealtime(places.elsewhere("realtime"), base) : undefined;
}

function mqttOf(base: Base, places: Places, here: Here | undefined, parts: Pick<MqttParts, "api" | "realtime">): Mqtt | undefined {
  if (!base.config.server.mqtt) return undefined;
  const kept = here?.sessions ?? new RemoteSessions(places.elsewhere("realtime"));
  return openMqtt(base, { ...parts, kept }, base.clustered || places.areAllHere);
}

function contractFile(name: string): string {
  return readFileSync(fileURLToPath(import.meta.resolve(`@parlor/contract/${name}`)), "utf8");
}

/** Nobody new, goodbye to everyone, then whatever was accepted is stored and answered before the database is let go. */
async function quiet(
  { config }: Base,
  listener: Listener,
  realtime: Hub | RemoteRealtime | undefined,
  here: Here | undefined,
  mqtt: Mqtt | undefined,
): Promise<void> {
  const rooms = here?.rooms;
  listener.drain();
  await rooms?.writer.idle();
  realtime?.drain(comeBackMs);
  await listener.close(config.server.drainMs);
  await mqtt?.close();
  here?.sessions?.close();
  await rooms?.writer.idle();
  await rooms?.purge.stop();
  await rooms?.retention.stop();
  rooms?.feeds.close();
}
