import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * Whether whoever is connected has shown a certificate of an authority in `PARLOR_TLS_CLIENT_CA_FILE`. Takes the socket of a
 * request, of a WebSocket, or of an HTTP/2 session.
 */
export function verifiedPeer(socket: Socket | undefined): boolean {
  // A client that resumes a session of TLS 1.3 counts as authorized even when it has never shown a certificate.
  return socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined;
}
