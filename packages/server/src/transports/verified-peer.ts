import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * Whether whoever is connected has shown a certificate of an authority in `PARLOR_TLS_CLIENT_CA_FILE`. Takes the socket of a
 * request, of a WebSocket, or of an HTTP/2 session.
 */
export function verifiedPeer(socket: Socket | undefined): boolean {
  // The certificate itself is asked for, too: Node calls a client authorized that needs none, as with pre-shared keys.
  return socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined;
}
