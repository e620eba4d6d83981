import type { Socket } from "node:net";

const text = "This port speaks TLS: use https.\n";
const answer = [
  "HTTP/1.1 400 Bad Request",
  "content-type: text/plain; charset=utf-8",
  `content-length: ${text.length}`,
  "connection: close",
  "",
  text,
].join("\r\n");

/** How long the other side has to take the answer and close (milliseconds). */
const GOODBYE_MS = 1000;

/** Ends a connection without TLS on a port for TLS; who begins like HTTP is told why. */
export function refusePlain(socket: Socket): void {
  const head = socket.read() as Buffer | null;
  if (head === null || !/^[A-Z]{3}/.test(head.toString("latin1", 0, 3))) return void socket.destroy();
  const timer = setTimeout(() => socket.destroy(), GOODBYE_MS);
  socket.once("close", () => clearTimeout(timer));
  // What comes after is read and thrown away: closing with bytes unread would reset the connection, and lose the answer.
  socket.on("data", () => {});
  socket.end(answer);
}
