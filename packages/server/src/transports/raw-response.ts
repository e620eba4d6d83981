import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { ErrorSchema, encodeJson, type ParlorError } from "@parlor/contract";

/** Answers an error on a socket that no HTTP response object stands for (any more), and ends the connection. */
export function respondRaw(socket: Duplex, status: number, error: ParlorError, requestId: string, headers: readonly string[] = []): void {
  if (!socket.writable) return void socket.destroy();
  const body = encodeJson(ErrorSchema, error.toWire(requestId));
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    "connection: close",
    ...headers,
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
