import { resolve } from "node:path";
import type { Config } from "@parlor/server";

/** The way this command line is called: through npm, or installed. */
function commandName(): string {
  return process.env["npm_lifecycle_event"] === undefined ? "parlor" : "npx parlor";
}

function store(config: Config): string {
  if (config.database.engine === "pglite") return `embedded database in ${resolve(config.database.folder)}`;
  const { hostname, pathname } = new URL(config.database.url);
  return `PostgreSQL, database ${decodeURIComponent(pathname.slice(1))} on ${decodeURIComponent(hostname)}`;
}

function places(config: Config, url: string): (readonly [string, string])[] {
  const base = config.server.publicUrl ?? url;
  const host = new URL(base).host;
  const grpc = config.server.grpcPort === undefined ? host : `${host}, and alone on port ${config.server.grpcPort}`;
  return [
    ["Web", `${base}/`],
    ["Docs", `${base}/docs`],
    ["REST", `${base}/api/v1`],
    ["WebSocket", `${base.replace(/^http/, "ws")}/api/v1/realtime`],
    ["gRPC", grpc],
    ["Metrics", config.server.metrics === "off" ? "off" : `${base}/metrics`],
    ["Store", store(config)],
  ];
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
