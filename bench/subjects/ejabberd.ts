import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { freePort, listening } from "./ports.ts";
import { ServerProcess, shown } from "./process.ts";
import type { Place, Running, Subject } from "./subject.ts";

const ERLANG = "/usr/bin/erl";
const CONTROL = "/usr/sbin/ejabberdctl";
const LIBRARIES = "/usr/lib";

/** ejabberd's multi-user chat with its archive of messages: the peer that stores what it delivers, if not before. */
export const ejabberd: Subject = {
  name: "ejabberd",
  does: "XMPP MUC + MAM; stores in Mnesia, without waiting for it",
  protocol: "xmpp",
  missing: () => (existsSync(CONTROL) ? undefined : "not installed (Debian package ejabberd)"),
  version: () => `ejabberd ${/^ejabberd-(\S+)$/.exec(basename(application()))?.[1] ?? "of an unknown version"}`,
  start,
};

/** Started as `ejabberdctl foreground` does it, but under this user, without a node name, and with a folder of its own. */
async function start({ scratch }: Place): Promise<Running> {
  const folder = await mkdtemp(join(scratch, "ejabberd-"));
  const port = await freePort();
  const config = join(folder, "ejabberd.yml");
  const database = join(folder, "mnesia");
  await mkdir(database);
  await writeFile(config, configuration(port));
  const command = {
    argv: [ERLANG, "-noinput", "+K", "true", "+P", "250000", "-mnesia", "dir", JSON.stringify(database), "-s", "ejabberd"],
    env: {
      HOME: folder,
      ERL_LIBS: join(application(), ".."),
      EJABBERD_CONFIG_PATH: config,
      EJABBERD_LOG_PATH: join(folder, "ejabberd.log"),
    },
  };
  const server = new ServerProcess(command);
  await server.started(() => listening(port));
  return {
    pids: [server.pid],
    door: { port },
    command: shown(command),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The folder of the package, such as /usr/lib/x86_64-linux-gnu/ejabberd-23.01. */
function application(): string {
  const places = readdirSync(LIBRARIES).filter((name) => name.endsWith("-linux-gnu"));
  for (const place of places) {
    const found = readdirSync(join(LIBRARIES, place)).find((name) => /^ejabberd-\d/.test(name));
    if (found) return join(LIBRARIES, place, found);
  }
  throw new Error("ejabberd is not where Debian puts it.");
}

/** One room of any size, everything in it archived, anonymous sign-in, and no shaper. */
function configuration(port: number): string {
  return `
loglevel: error
hosts: [localhost]
listen:
  - port: ${port}
    ip: 127.0.0.1
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: none
    access: all
auth_method: [anonymous]
anonymous_protocol: sasl_anon
allow_multiple_connections: true
modules:
  mod_disco: {}
  mod_mam:
    db_type: mnesia
    default: never
  mod_muc:
    max_users: 5000
    default_room_options:
      mam: true
      max_users: 5000
      presence_broadcast: []
`;
}
