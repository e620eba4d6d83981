import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";

/** What the server proves its name with, all in PEM. */
export interface TlsIdentity {
  /** The certificate, and after it those between it and the root. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authorities of client certificates; without it, clients are not asked for one. */
  readonly clientCa?: Buffer;
}

export interface SecureDoorOptions {
  readonly identity: TlsIdentity;
  /** The names of the protocols that are served (ALPN), the preferred one first. */
  readonly alpn: readonly string[];
  /** How long a handshake may take, in milliseconds. */
  readonly handshakeMs: number;
}

/** Makes plain connections secure ones: TLS 1.2 or 1.3. A handshake that fails ends its connection, and costs nobody a line in a log. */
export class SecureDoor {
  readonly #server: Server;
  readonly #waiting = new Map<string, (secure: TLSSocket) => void>();

  constructor({ identity, alpn, handshakeMs }: SecureDoorOptions) {
    this.#server = createServer({
      ...contextOf(identity),
      ALPNProtocols: [...alpn],
      handshakeTimeout: handshakeMs,
      requestCert: identity.clientCa !== undefined,
      // Ordinary clients have none; see verifiedPeer.
      rejectUnauthorized: false,
    });
    this.#server.on("secureConnection", (secure) => this.#secured(secure));
    this.#server.on("tlsClientError", (_error, secure) => secure.destroy());
  }

  /** Begins the handshake. `then` is called when it has succeeded; otherwise the connection ends. */
  accept(socket: Socket, then: (secure: TLSSocket) => void): void {
    const key = endsOf(socket);
    this.#waiting.set(key, then);
    socket.once("close", () => this.#waiting.delete(key));
    this.#server.emit("connection", socket);
  }

  /** Takes another certificate for the handshakes that begin from now on. @throws Error when it is not good, and keeps the old one */
  renew(identity: TlsIdentity): void {
    this.#server.setSecureContext(contextOf(identity));
  }

  #secured(secure: TLSSocket): void {
    secure.on("error", () => secure.destroy());
    const key = endsOf(secure);
    const then = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (then === undefined) secure.destroy();
    else then(secure);
  }
}

/** Node does not say whose connection has become secure, but both sides of TLS have the same two ends. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function contextOf({ cert, key, clientCa }: TlsIdentity) {
  return {
    cert,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    minVersion: "TLSv1.2" as const,
    // In TLS 1.2, clients could have the server compute handshake after handshake on one connection.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}
