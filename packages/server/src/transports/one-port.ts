import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ClientAddresses } from "./client-address.ts";
import { plainAddress } from "./client-address.ts";
import { peek } from "./peek.ts";
import { refusePlain } from "./plain-on-tls.ts";
import { alpnNames, type DoorName, type Doors, protocolAgreed, protocolOf, wrappingOf } from "./protocols.ts";
import { SecureDoor, type TlsIdentity } from "./secure-door.ts";

export interface OnePortOptions {
  readonly doors: Doors;
  readonly addresses: ClientAddresses;
  /** Most open connections from one address; those of trusted proxies are not counted. */
  readonly connectionsPerAddress: number;
  /** How long a connection may be silent before its first bytes, and how long a handshake may take, in milliseconds. */
  readonly firstBytesMs: number;
  /** With it the port speaks TLS and nothing else. */
  readonly tls?: TlsIdentity | undefined;
}

/** One listener for every protocol. */
export class OnePort {
  readonly #server: Server;
  readonly #options: OnePortOptions;
  readonly #secureDoor: SecureDoor | undefined;
  readonly #sockets = new Set<Socket>();
  /** Those whose protocol is not known yet. */
  readonly #silent = new Set<Socket>();
  readonly #onEmpty: (() => void)[] = [];
  readonly #perAddress = new Map<string, number>();

  constructor(options: OnePortOptions) {
    this.#options = options;
    this.#secureDoor = secureDoorOf(options);
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

  /** Takes another certificate, if this port speaks TLS. @throws Error when it is not good */
  renew(identity: TlsIdentity): void {
    this.#secureDoor?.renew(identity);
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
    socket.on("error", destroy);
    const address = plainAddress(socket.remoteAddress);
    const isCounted = !this.#options.addresses.isProxy(address);
    if (isCounted && !this.#count(address)) return void socket.destroy();
    this.#sockets.add(socket);
    // Ten thousand idle connections keep their listeners: there is one, and no wrapper for being called once.
    socket.on("close", () => this.#forget(socket, isCounted ? address : undefined));
    this.#silent.add(socket);
    if (this.#secureDoor === undefined) this.#tellApart(socket, socket);
    else this.#secure(socket, this.#secureDoor);
  }

  #forget(socket: Socket, counted: string | undefined): void {
    if (counted !== undefined) this.#countDown(counted);
    this.#sockets.delete(socket);
    this.#silent.delete(socket);
    if (this.#sockets.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  /** Says whether there may be one more from this address. */
  #count(address: string): boolean {
    const open = (this.#perAddress.get(address) ?? 0) + 1;
    if (open > this.#options.connectionsPerAddress) return false;
    this.#perAddress.set(address, open);
    return true;
  }

  #countDown(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }

  #secure(socket: Socket, door: SecureDoor): void {
    peek(socket, this.#options.firstBytesMs, wrappingOf, (wrapping) => {
      if (wrapping === "tls") door.accept(socket, (secure) => this.#tellApart(secure, socket));
      else refusePlain(socket);
    });
  }

  /** @param outer the connection that carries the socket, or the socket itself */
  #tellApart(socket: Socket | TLSSocket, outer: Socket): void {
    const agreed = "alpnProtocol" in socket ? protocolAgreed(socket.alpnProtocol) : undefined;
    const decide = (head: Buffer): DoorName | undefined => (head.length === 0 ? undefined : (agreed ?? protocolOf(head)));
    peek(socket, this.#options.firstBytesMs, decide, (protocol) => {
      this.#silent.delete(outer);
      const { doors } = this.#options;
      if (doors[protocol] === undefined) socket.destroy();
      else doors[protocol](socket);
    });
  }
}

/** A connection that breaks is closed. */
function destroy(this: Socket): void {
  this.destroy();
}

function secureDoorOf({ tls, doors, firstBytesMs }: OnePortOptions): SecureDoor | undefined {
  if (tls === undefined) return undefined;
  const served = (Object.keys(alpnNames) as DoorName[]).filter((name) => doors[name] !== undefined);
  return new SecureDoor({ identity: tls, alpn: served.map((name) => alpnNames[name]), handshakeMs: firstBytesMs });
}
