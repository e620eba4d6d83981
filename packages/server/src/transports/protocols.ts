import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Who takes a connection once its protocol is known. A protocol that is left out is not served. */
export interface Doors {
  http?(socket: Socket): void;
  grpc?(socket: Socket): void;
  mqtt?(socket: Socket): void;
}

/** Takes a connection that speaks MQTT, whatever carries it. `address`: the client's. */
export type MqttDoor = (stream: Duplex, address: string) => void;

export type DoorName = keyof Doors;

/**
 * The names by which clients ask for a protocol in the handshake of TLS (ALPN, RFC 7301). The first is preferred: browsers offer
 * HTTP/1.1 and HTTP/2, and want REST and WebSockets; clients of gRPC offer HTTP/2 alone.
 */
export const alpnNames: Readonly<Record<DoorName, string>> = { http: "http/1.1", grpc: "h2", mqtt: "mqtt" };

// RFC 9113, section 3.4. No HTTP/1.1 method begins with its first four bytes, and nothing else needs more to be told apart.
const HTTP2_PREFACE = Buffer.from("PRI ");
// MQTT 5, section 2.1: packet type 1 (CONNECT) with flags 0.
const MQTT_CONNECT = 0x10;
// RFC 8446, section 5.1: a record of a handshake. Nothing else that is served begins with it.
const TLS_HANDSHAKE = 0x16;

/** The protocol that begins with these bytes; undefined while they are too few to tell. */
export function protocolOf(head: Buffer): DoorName | undefined {
  if (head.length === 0) return undefined;
  if (head[0] === MQTT_CONNECT) return "mqtt";
  const seen = Math.min(head.length, HTTP2_PREFACE.length);
  if (!HTTP2_PREFACE.subarray(0, seen).equals(head.subarray(0, seen))) return "http";
  return seen === HTTP2_PREFACE.length ? "grpc" : undefined;
}

/** The protocol that client and server agreed on in the handshake; undefined when the client named none. */
export function protocolAgreed(alpn: string | false | null): DoorName | undefined {
  return (Object.keys(alpnNames) as DoorName[]).find((name) => alpnNames[name] === alpn);
}

/** What begins with these bytes on a port for TLS; undefined while there are none. */
export function wrappingOf(head: Buffer): "tls" | "plain" | undefined {
  if (head.length === 0) return undefined;
  return head[0] === TLS_HANDSHAKE ? "tls" : "plain";
}
