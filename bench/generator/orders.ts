import type { Door } from "./protocol.ts";

/** What the bench orders its load generator, a process of its own, to do. */
export interface Orders {
  /** Brings listeners and one publisher into the room. */
  join(order: JoinOrder): Promise<void>;
  /** Sends a number of messages at once, waits until everyone has them all, and repeats that for a time. */
  bursts(order: BurstsOrder): Promise<BurstsReport>;
  /** Sends messages at a fixed rate, whether or not earlier ones have arrived. */
  fixedRate(order: FixedRateOrder): Promise<FixedRateReport>;
  /** Brings publishers and listeners into many rooms. */
  joinIngest(order: JoinIngestOrder): Promise<void>;
  /** Sends as fast as it is acknowledged. */
  ingest(order: IngestOrder): Promise<IngestReport>;
}

export interface JoinOrder {
  readonly protocol: string;
  readonly door: Door;
  readonly listeners: number;
}

export interface BurstsOrder {
  readonly inFlight: number;
  readonly seconds: number;
}

export interface FixedRateOrder {
  readonly perSecond: number;
  readonly seconds: number;
}

/** Who is in which room. */
export interface IngestDoor extends Door {
  readonly publishers: readonly { readonly token: string; readonly roomIds: readonly string[] }[];
  /** A token for each listener, who is in one room. */
  readonly listeners: readonly string[];
  readonly listenersPerRoom: number;
}

export interface JoinIngestOrder {
  readonly door: IngestDoor;
}

export interface IngestOrder {
  /** Unacknowledged messages of each publisher. */
  readonly inFlight: number;
  readonly seconds: number;
}

export interface LoadReport {
  readonly seconds: number;
  readonly messages: number;
  readonly deliveries: number;
  /** The share of its core that the generator itself used, 0 to 1. */
  readonly generatorBusy: number;
}

export interface BurstsReport extends LoadReport {
  /** From sending a burst to its last delivery, milliseconds. */
  readonly burstP50: number;
}

export interface IngestReport extends LoadReport {
  readonly ackedPerSecond: number;
}

export interface FixedRateReport extends LoadReport {
  /** From the time a message was due to be sent to each of its deliveries, milliseconds. */
  readonly p50: number;
  readonly p99: number;
}
