import { randomBytes } from "node:crypto";
import { Command } from "commander";
import { launchServer } from "../launch-server.ts";

const help = `
The bridge takes what devices send to a broker (topics parlor/v1/u/USERNAME/rooms/ROOM_ID/send) and publishes the events of
rooms to it (parlor/v1/rooms/ROOM_ID/events). It works on the database of the servers, and hears of them by Redis, so it needs
their settings: DATABASE_URL, REDIS_URL. A server with the embedded database has its bridge inside: start it with
PARLOR_BRIDGE_BROKER set.

Environment: all that parlor serve has. Rather give secrets there than on the command line, where others can see them:
  PARLOR_BRIDGE_BROKER   mqtt://user:password@host:1883
  PARLOR_BRIDGE_TOKEN    an API token; the events of the rooms of its account are published

Examples:
  DATABASE_URL=postgres://parlor@db/parlor REDIS_URL=redis://redis parlor bridge --broker mqtt://broker:1883 --name one
`;

/** All services, and no door for clients. */
const services = "auth,users,rooms,messages,realtime";

interface Options {
  readonly broker?: string;
  readonly name?: string;
  readonly shared?: boolean;
}

async function run({ broker, name, shared }: Options): Promise<void> {
  const { loadConfig, ConfigError } = await import("@parlor/server/config");
  const config = loadConfig({
    PORT: "0",
    HOST: "127.0.0.1",
    // No other process calls the services of this one.
    PARLOR_SERVICE_TOKEN: randomBytes(32).toString("hex"),
    ...process.env,
    PARLOR_SERVICES: services,
    ...(broker !== undefined && { PARLOR_BRIDGE_BROKER: broker }),
    ...(name !== undefined && { PARLOR_BRIDGE_NAME: name }),
    ...(shared && { PARLOR_BRIDGE_SHARED: "on" }),
  });
  if (config.bridge.brokerUrl === undefined)
    throw new ConfigError(["Say where the broker is: --broker mqtt://host:1883, or PARLOR_BRIDGE_BROKER."]);
  if (config.database.engine === "pglite")
    throw new ConfigError([
      "DATABASE_URL is missing. With the embedded database, the bridge runs inside of parlor serve: set PARLOR_BRIDGE_BROKER there.",
    ]);
  await launchServer(config);
}

export function bridgeCommand(): Command {
  return new Command("bridge")
    .description("Connect an MQTT broker, such as Mosquitto, with the rooms.")
    .option("--broker <url>", "the broker: mqtt, mqtts, ws or wss (or PARLOR_BRIDGE_BROKER)")
    .option("--name <name>", "this bridge's name at the broker (or PARLOR_BRIDGE_NAME)")
    .option("--shared", "share the messages with other bridges (or PARLOR_BRIDGE_SHARED=on)")
    .addHelpText("after", help)
    .action(run);
}
