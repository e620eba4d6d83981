// The other end of the server's control socket: the operator's commands, run by the server of this data folder.

import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { decodeJsonValue, ErrorSchema, ParlorError } from "@parlor/contract";
import type { Admin } from "@parlor/server/admin";
import { adminCommands, controlSocketPath } from "@parlor/server/control-socket";
import { exitCodes, UsageError } from "./failure.ts";

/** A connection, or undefined when no server listens. */
async function open(path: string): Promise<Socket | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(path);
  socket.once("connect", () => resolve(socket)).once("error", reject);
  try {
    return await promise;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR") return undefined;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    throw new UsageError(
      `The server of this data folder runs as another user: ${path} may not be opened. Run this command as that user.`,
      exitCodes.failed,
    );
  }
}

async function ask(path: string, command: string, request: object): Promise<unknown> {
  const socket = await open(path);
  if (!socket) throw new UsageError("The server has stopped meanwhile. Run the command again.", exitCodes.unreachable);
  socket.write(`${JSON.stringify({ command, request })}\n`);
  const line = await text(socket);
  if (line === "") throw new UsageError("The server stopped before it answered. Run the command again.", exitCodes.unreachable);
  const answer = JSON.parse(line) as { result?: unknown; error?: Parameters<typeof decodeJsonValue>[1] };
  if (answer.error !== undefined) throw ParlorError.fromWire(decodeJsonValue(ErrorSchema, answer.error));
  return answer.result;
}

/** The commands of the server that runs with a data folder; undefined when none does. */
export async function runningServer(dataDir: string): Promise<Admin | undefined> {
  const path = controlSocketPath(dataDir);
  const probe = await open(path);
  if (!probe) return undefined;
  probe.destroy();
  const commands = adminCommands.map((command) => [command, (request: object) => ask(path, command, request)]);
  return Object.fromEntries(commands) as Admin;
}
