import { createServer, type Server, type Socket } from "node:net";
import type { ClientAddresses } from "./client-address.ts";
import { plainAddress } from "./client-address.ts";

/** Who takes a connection once its first bytes have told the protocol. A protocol that is left out is not served. */
export interface Doors {
  http?(socket: Socket): void;
  grpc?(socket: Socket): void;
  mqtt?(socket: Socket): void;
}

export interface OnePortOptions {
  readonly doors: Doors;
  readonly addresses: ClientAddresses;
  /** Most open connections from one address; those of trusted proxies are not counted. */
  readonly connectionsPerAddress: number;
  /** How long a connection may be silent before its first bytes, in milliseconds. */
  readonly firstBytesMs: number;
}

// RFC 9113, section 3.4. No HTTP/1.1 method begins with its first four bytes, and nothing else needs more to be told apart.
const HTTP2_PREFACE = Buffer.from("PRI ");
// MQTT 5, section 2.1: packet type 1 (CONNECT) with flags 0.
const MQTT_CONNECT = 0x10;

/** One listener for every protocol. */
export class OnePort {
  readonly #server: Server;
  readonly #options: OnePortOptions;
  readonly #sockets = new Set<Socket>();
  /** Those whose protocol is not known yet. */
  readonly #silent = new Set<Socket>();
  readonly #onEmpty: (() => void)[] = [];
  readonly #perAddress = new Map<string, number>();

  constructor(options: OnePortOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: false }, (socket) => this.#accept(socket));
    // Errors of a listener that is open, such as too many open files, concern one connection and pass.
    this.#server.on("error", () => {});
  }

  /**
   * Starts to listen.
   * @returns the port
   * @throws Error when the address cannot be had
   */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve((this.#server.address() as { port: number }).port);
      });
    });
  }

  /** Takes no more connections; those that are open go on. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }

  /** Cuts every connection. */
  destroy(): void {
    this.stop();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Resolves when no connection is left; those that have not said anything yet are cut. */
  async emptied(): Promise<void> {
    for (const socket of this.#silent) socket.destroy();
    if (this.#sockets.size > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    const address = plainAddress(socket.remoteAddress);
    if (!this.#options.addresses.isProxy(address) && !this.#count(socket, address)) return;
    this.#sockets.add(socket);
    socket.once("close", () => this.#forget(socket));
    this.#peek(socket);
  }

  #forget(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#silent.delete(socket);
    if (this.#sockets.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #count(socket: Socket, address: string): boolean {
    const open = (this.#perAddress.get(address) ?? 0) + 1;
    if (open > this.#options.connectionsPerAddress) {
      socket.destroy();
      return false;
    }
    this.#perAddress.set(address, open);
    socket.once("close", () => {
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    });
    return true;
  }

  /** Reads until the protocol is clear, and puts what was read back for whoever takes the connection. */
  #peek(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), this.#options.firstBytesMs);
    this.#silent.add(socket);
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
      const protocol = protocolOf(head);
      if (protocol === undefined) return;
      over();
      this.#hand(socket, head, protocol);
    };
    socket.on("readable", onReadable).on("close", over).on("end", over);
  }

  #hand(socket: Socket, head: Buffer, protocol: keyof Doors): void {
    this.#silent.delete(socket);
    const door = this.#options.doors[protocol];
    if (door === undefined) return void socket.destroy();
    socket.unshift(head);
    door.call(this.#options.doors, socket);
  }
}

/** The protocol that begins with these bytes; undefined while they are too few to tell. */
function protocolOf(head: Buffer): keyof Doors | undefined {
  if (head.length === 0) return undefined;
  if (head[0] === MQTT_CONNECT) return "mqtt";
  const seen = Math.min(head.length, HTTP2_PREFACE.length);
  if (!HTTP2_PREFACE.subarray(0, seen).equals(head.subarray(0, seen))) return "http";
  return seen === HTTP2_PREFACE.length ? "grpc" : undefined;
}
