import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, listening } from "./ports.ts";
import { ServerProcess, shown } from "./process.ts";
import type { Place, Running, Subject } from "./subject.ts";

const BINARY = "/usr/sbin/mosquitto";

/** Mosquitto at QoS 0, with no limit that could hold it back. */
export const mosquitto: Subject = {
  name: "mosquitto",
  does: "MQTT QoS 0; relays, stores nothing",
  protocol: "mqtt",
  missing: () => (existsSync(BINARY) ? undefined : "not installed (Debian package mosquitto)"),
  version: () => `mosquitto ${/version (\S+)/.exec(helpText())?.[1] ?? "of an unknown version"}`,
  start,
};

/** Mosquitto prints its version with its help, and then fails. */
function helpText(): string {
  return spawnSync(BINARY, ["-h"], { encoding: "utf8" }).stdout;
}

/** The same at QoS 1. */
export const mosquittoQos1: Subject = {
  ...mosquitto,
  name: "mosquitto (QoS 1)",
  does: "MQTT QoS 1; relays, keeps in memory what is not acknowledged",
  protocol: "mqttQos1",
};

async function start({ scratch }: Place): Promise<Running> {
  const folder = await mkdtemp(join(scratch, "mosquitto-"));
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  await writeFile(config, configuration(port));
  const command = { argv: [BINARY, "-c", config] };
  const server = new ServerProcess(command);
  await server.started(() => listening(port));
  return {
    pids: [server.pid],
    door: { port },
    command: shown(command),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function configuration(port: number): string {
  const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  return [
    `listener ${port} 127.0.0.1`,
    `user ${user}`,
    "allow_anonymous true",
    "persistence false",
    "max_queued_messages 0",
    "max_queued_bytes 0",
    "max_inflight_messages 0",
    "max_connections -1",
    "set_tcp_nodelay true",
    "log_type error",
    "",
  ].join("\n");
}
