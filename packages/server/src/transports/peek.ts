import type { Socket } from "node:net";

/**
 * Reads until `decide` knows what the connection is, puts back what was read, and tells `then`.
 * @param withinMs a connection that has not made itself clear by then is cut
 */
export function peek<T>(socket: Socket, withinMs: number, decide: (head: Buffer) => T | undefined, then: (what: T) => void): void {
  const timer = setTimeout(() => socket.destroy(), withinMs);
  let head: Buffer = Buffer.alloc(0);
  const over = (): void => {
    clearTimeout(timer);
    // Nothing of the beginning is to live as long as the connection.
    socket.off("readable", onReadable).off("close", over).off("end", over);
  };
  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    }
    const what = decide(head);
    if (what === undefined) return;
    over();
    socket.unshift(head);
    then(what);
  };
  socket.on("readable", onReadable).on("close", over).on("end", over);
}
