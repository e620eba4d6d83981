// The way in for whoever may read the data folder: a Unix socket in it, for the commands of `parlor user`, `parlor token` and
// `parlor key` while the server runs. One line of JSON with the request, {"command", "request"}; one with the answer, {"result"} or {"error"}.

import { mkdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join, relative, resolve } from "node:path";
import { Code, ErrorSchema, encodeJsonValue, ParlorError, Reason } from "@parlor/contract";
import type { Log } from "../ports/log.ts";
import type { Admin } from "./admin.ts";

const maxRequestBytes = 64 * 1024;
const requestTimeoutMs = 10_000;

/** A socket that others on this machine talk to until it is closed. */
export interface ControlSocket {
  readonly path: string;
  close(): Promise<void>;
}

/** What can be asked for. */
export const adminCommands: readonly (keyof Admin)[] = [
  "createUser",
  "setRole",
  "deactivate",
  "reactivate",
  "listUsers",
  "createToken",
  "listKeys",
  "rotateKey",
];

/** Where the socket of a data folder is, relative when that is shorter: systems take no more than about 100 bytes. */
export function controlSocketPath(dataDir: string): string {
  const absolute = resolve(dataDir, "parlor.sock");
  const near = join(".", relative(process.cwd(), absolute));
  return near.length < absolute.length ? near : absolute;
}

function malformed(): ParlorError {
  return new ParlorError(
    Code.INVALID_ARGUMENT,
    Reason.MALFORMED,
    "The request is not one that this server knows: client and server may be of different versions.",
  );
}

async function answer(admin: Admin, line: string): Promise<unknown> {
  const parsed: unknown = JSON.parse(line);
  const { command, request } = (parsed ?? {}) as { command?: unknown; request?: unknown };
  const known = adminCommands.find((one) => one === command);
  if (known === undefined || typeof request !== "object" || request === null) throw malformed();
  const run = admin[known] as (request: object) => Promise<unknown>;
  return run.call(admin, request);
}

function asError(error: unknown, log: Log): ParlorError {
  if (error instanceof ParlorError) return error;
  if (error instanceof SyntaxError) return malformed();
  log.error({ err: error }, "A command of the control socket failed");
  return new ParlorError(Code.INTERNAL, Reason.FAULT, "The server failed; its log says more.");
}

async function reply(socket: Socket, admin: Admin, log: Log, line: string): Promise<void> {
  try {
    socket.end(`${JSON.stringify({ result: await answer(admin, line) })}\n`);
  } catch (error) {
    socket.end(`${JSON.stringify({ error: encodeJsonValue(ErrorSchema, asError(error, log).toWire()) })}\n`);
  }
}

/** Reads one line, answers it, and ends the connection. */
function serve(socket: Socket, admin: Admin, log: Log): void {
  let text = "";
  socket.setEncoding("utf8");
  socket.setTimeout(requestTimeoutMs, () => socket.destroy());
  socket.on("error", (error) => log.debug({ err: error }, "A connection to the control socket broke"));
  socket.on("data", (piece: string) => {
    text += piece;
    const end = text.indexOf("\n");
    if (end < 0 && text.length <= maxRequestBytes) return;
    socket.removeAllListeners("data").resume();
    if (end < 0) socket.destroy();
    else void reply(socket, admin, log, text.slice(0, end));
  });
}

/** Binds the socket so that nobody but this user can open it, not even for a moment. */
function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve: listening, reject } = Promise.withResolvers<void>();
  server.once("error", reject).once("listening", listening);
  const mask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  return promise;
}

/** Whether somebody answers at a socket; a file that a dead server left behind answers nobody. */
function isAlive(path: string): Promise<boolean> {
  const { promise, resolve: settled } = Promise.withResolvers<boolean>();
  const probe = connect(path);
  probe.once("connect", () => settled(true)).once("error", () => settled(false));
  return promise.finally(() => probe.destroy());
}

async function listenAnew(server: Server, path: string): Promise<void> {
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    if (await isAlive(path)) throw new Error(`Another server is running with this data folder: it answers at ${path}.`, { cause: error });
    await unlink(path);
    await listen(server, path);
  }
}

/**
 * Lets whoever may open the socket of this data folder (mode 0600) run the operator's commands.
 * @throws Error when another server listens there, or the file system does not allow it
 */
export async function listenControl(dataDir: string, admin: Admin, log: Log): Promise<ControlSocket> {
  const path = controlSocketPath(dataDir);
  // With PostgreSQL nobody else has made it.
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    serve(socket, admin, log);
  });
  await listenAnew(server, path);
  return {
    path,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const socket of open) socket.destroySoon();
      await closed;
    },
  };
}
