import { resolve } from "node:path";
import { type Config, serviceNames } from "@parlor/server";

/** The way this command line is called: through npm, or installed. */
function commandName(): string {
  return process.env["npm_lifecycle_event"] === undefined ? "parlor" : "npx parlor";
}

function store(config: Config): string {
  if (config.database.engine === "pglite") return `embedded database in ${resolve(config.database.folder)}`;
  const { hostname, pathname } = new URL(config.database.url);
  return `PostgreSQL, database ${decodeURIComponent(pathname.slice(1))} on ${decodeURIComponent(hostname)}`;
}

type Place = readonly [name: string, place: string];

/** A process that hosts a part of the services says so, and a client finds nothing there unless it is a gateway. */
function places(config: Config, url: string): Place[] {
  const { hosted } = config.services;
  const base = config.server.publicUrl ?? url;
  const places: Place[] = hosted.length === serviceNames.length ? [] : [["Hosts", hosted.join(", ")]];
  if (hosted.includes("gateway")) places.push(...forClients(config, base));
  places.push(["Metrics", config.server.metrics === "off" ? "off" : `${base}/metrics`]);
  if (hosted.some((name) => name !== "gateway")) places.push(["Store", store(config)]);
  return places;
}

function forClients(config: Config, base: string): Place[] {
  const host = new URL(base).host;
  const grpc = config.server.grpcPort === undefined ? host : `${host}, and alone on port ${config.server.grpcPort}`;
  return [
    ["Web", `${base}/`],
    ["Docs", `${base}/docs`],
    ["REST", `${base}/api/v1`],
    ["WebSocket", `${base.replace(/^http/, "ws")}/api/v1/realtime`],
    ["gRPC", grpc],
    ...mqttPlace(config, base),
  ];
}

function mqttPlace({ server: { mqtt, mqttPort } }: Config, base: string): Place[] {
  const place = `${base.replace(/^http/, "mqtt")}${mqttPort === undefined ? "" : `, and alone on port ${mqttPort}`}`;
  return mqtt ? [["MQTT", place]] : [];
}

function openness(config: Config): string {
  const { host } = config.server;
  if (host !== "0.0.0.0" && host !== "::") return "";
  return "It listens on every address of this machine. HOST=127.0.0.1 keeps it to this machine.\n";
}

/** Where things are, for the person who started the server. */
export function banner(config: Config, url: string, hasAdmin: boolean): string {
  const lines = places(config, url).map(([name, place]) => `  ${name.padEnd(11)}${place}`);
  const admin = hasAdmin
    ? ""
    : `\nThere is no administrator yet. To make one, in another terminal:\n  ${commandName()} user create NAME --admin\n`;
  return `\nParlor is ready.\n\n${lines.join("\n")}\n\n${openness(config)}Settings: ${commandName()} serve --help\n${admin}\n`;
}
