import type { Code } from "@parlor/contract";

/** Numbers that are read when somebody asks for the metrics, at no cost in between. */
export type Gauge =
  | "rooms_active"
  | "queued_bytes"
  | "password_hashes_waiting"
  | "log_waiting"
  | "database_sessions_open"
  | "database_sessions_used"
  | "database_sessions_waiting"
  | "tls_certificate_expiry_timestamp_seconds"
  | "bus_connected";

/** Numbers that only grow, read likewise. */
export type Total = "bus_published_total" | "bus_dropped_total" | "bus_received_total" | "bus_gaps_total";

/** What the server tells about its work. Every method is cheap and never throws, so that hot paths may call it. */
export interface Metrics {
  /** A unary call, or a frame of a stream, was answered. `method` is a name of the contract, such as "MessagesService.SendMessage". */
  called(method: string, protocol: string, code: Code, durationMs: number): void;
  /** A live connection was opened. */
  connected(protocol: string): void;
  /** A live connection ended; `reason` is the name of a Goodbye.Reason, or "CLIENT" when the client ended it. */
  disconnected(protocol: string, reason: string): void;
  /** A returning client was told what becomes of one of its cursors; `outcome` is the name of a Welcome.Outcome. */
  resumed(outcome: string): void;
  /** Events were handed to connections: the sum over all connections, once for each flush. */
  delivered(events: number): void;
  /** One transaction committed this many sends and changes. */
  committed(sends: number, durationMs: number): void;
  /** Time from the commit of a room's oldest waiting event until it was handed to every connection on this node. */
  fannedOut(lagMs: number): void;
  /** Names the source of a gauge or total; a later one takes its place. */
  watch(number: Gauge | Total, read: () => number): void;
}
