import { fileURLToPath } from "node:url";
import { startNpmServer, versionOf } from "./npm-peer.ts";
import { RedisServer } from "./redis-server.ts";
import type { Running, Subject } from "./subject.ts";

const PROGRAM = fileURLToPath(new URL("../servers/socket-io-redis.ts", import.meta.url));

/** Two nodes of Socket.IO, with Redis between them. */
export const socketIoNodes: Subject = {
  name: "socket.io (two nodes)",
  does: "relays through Redis; stores nothing",
  protocol: "socketIo",
  missing: () => RedisServer.missing(),
  version: () => `socket.io ${versionOf("socket.io")}, @socket.io/redis-adapter ${versionOf("@socket.io/redis-adapter")}`,
  start,
};

async function start(): Promise<Running> {
  await using starting = new AsyncDisposableStack();
  const redis = starting.use(await RedisServer.start());
  const env = { REDIS_URL: redis.url };
  const nodes = [starting.use(await startNpmServer(PROGRAM, env)), starting.use(await startNpmServer(PROGRAM, env))] as const;
  const all = starting.move();
  return {
    pids: [...nodes.flatMap(({ pids }) => pids), redis.pid],
    redisPids: [redis.pid],
    door: { port: nodes[0].door.port, nodes: nodes.map(({ door }) => door.port) },
    command: nodes[0].command,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
