import { Code } from "@parlor/contract";
import { Counter, collectDefaultMetrics, Gauge as GaugeMetric, Histogram, Registry } from "prom-client";
import type { Gauge, Metrics, Total } from "../ports/metrics.ts";
import { version } from "./version.ts";

/** Metrics as Prometheus reads them. */
export interface PrometheusMetrics extends Metrics {
  readonly contentType: string;
  /** Everything, in the text format of Prometheus. */
  render(): Promise<string>;
}

const callSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const sendsPerCommit = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

const gaugeHelp: Readonly<Record<Gauge, string>> = {
  rooms_active: "Rooms that this node keeps in memory.",
  queued_bytes: "Bytes that wait to be taken by the network, over all live connections.",
  password_hashes_waiting: "Passwords that wait to be hashed.",
  log_waiting: "Sends and changes that wait for the transaction that stores them.",
  database_sessions_open: "Sessions with PostgreSQL.",
  database_sessions_used: "Sessions with PostgreSQL that are doing something.",
  database_sessions_waiting: "Calls that wait for a session with PostgreSQL.",
  tls_certificate_expiry_timestamp_seconds: "When the TLS certificate ends, in seconds since 1970.",
  bus_connected: "Whether this node and the others hear of each other at once: 1, or 0 while Redis is out of reach.",
};

const totalHelp: Readonly<Record<Total, string>> = {
  bus_published_total: "Hints for other nodes that were handed to Redis.",
  bus_dropped_total: "Hints for other nodes that did not get there.",
  bus_received_total: "Hints of other nodes.",
  bus_gaps_total: "Times that hints of other nodes may have been lost, so that the database was asked.",
};

/** Every number of its own there can be; a node shows those that it has. */
export const watchable = [...Object.keys(gaugeHelp), ...Object.keys(totalHelp)] as ReadonlyArray<Gauge | Total>;

/** What a map holds under a key, made when it is not there yet. */
function remembered<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}

function callMeters(registers: Registry[]): Metrics["called"] {
  const calls = new Counter({
    name: "parlor_calls_total",
    help: "Calls answered, by method, protocol and the code of the answer.",
    labelNames: ["method", "protocol", "code"],
    registers,
  });
  const seconds = new Histogram({
    name: "parlor_call_seconds",
    help: "Time from a call's arrival to its answer.",
    labelNames: ["method", "protocol"],
    buckets: callSeconds,
    registers,
  });
  const metersOf = (method: string, protocol: string) => ({
    timing: seconds.labels({ method, protocol }),
    counts: new Map<Code, Counter.Internal>(),
  });
  // Looking labels up anew costs more than counting.
  const known = new Map<string, Map<string, ReturnType<typeof metersOf>>>();
  return (method, protocol, code, durationMs) => {
    const byProtocol = remembered(known, method, () => new Map());
    const { timing, counts } = remembered(byProtocol, protocol, () => metersOf(method, protocol));
    remembered(counts, code, () => calls.labels({ method, protocol, code: Code[code] ?? String(code) })).inc();
    timing.observe(durationMs / 1000);
  };
}

function connectionMeters(registers: Registry[]): Pick<Metrics, "connected" | "disconnected"> {
  const open = new GaugeMetric({ name: "parlor_connections", help: "Live connections, by protocol.", labelNames: ["protocol"], registers });
  const ended = new Counter({
    name: "parlor_disconnects_total",
    help: "Live connections that ended, by protocol and reason; SLOW_CONSUMER is a reader that was too slow.",
    labelNames: ["protocol", "reason"],
    registers,
  });
  return {
    connected: (protocol) => open.inc({ protocol }),
    disconnected(protocol, reason) {
      open.dec({ protocol });
      ended.inc({ protocol, reason });
    },
  };
}

function resumeMeter(registers: Registry[]): Metrics["resumed"] {
  const cursors = new Counter({
    name: "parlor_resumes_total",
    help: "Cursors with which clients came back, by outcome; GAP is a client that had missed too much.",
    labelNames: ["outcome"],
    registers,
  });
  return (outcome) => cursors.inc({ outcome });
}

function roomMeters(registers: Registry[]): Pick<Metrics, "delivered" | "committed" | "fannedOut"> {
  const deliveries = new Counter({
    name: "parlor_deliveries_total",
    help: "Events handed to live connections, summed over connections.",
    registers,
  });
  const batch = new Histogram({
    name: "parlor_commit_sends",
    help: "Sends and changes committed by one transaction.",
    buckets: sendsPerCommit,
    registers,
  });
  const commit = new Histogram({
    name: "parlor_commit_seconds",
    help: "Time from the beginning of a transaction of the log until its commit is known, with repeated attempts.",
    buckets: callSeconds,
    registers,
  });
  const lag = new Histogram({
    name: "parlor_fan_out_lag_seconds",
    help: "Time from a commit, or from hearing of another node's, until its events were handed to every connection of this node.",
    buckets: callSeconds,
    registers,
  });
  return {
    delivered: (events) => deliveries.inc(events),
    committed(sends, durationMs) {
      batch.observe(sends);
      commit.observe(durationMs / 1000);
    },
    fannedOut: (lagMs) => lag.observe(lagMs / 1000),
  };
}

function showGauge(name: Gauge, read: () => number, registers: Registry[]): void {
  new GaugeMetric({
    name: `parlor_${name}`,
    help: gaugeHelp[name],
    registers,
    collect() {
      this.set(read());
    },
  });
}

function showTotal(name: Total, read: () => number, registers: Registry[]): void {
  new Counter({
    name: `parlor_${name}`,
    help: totalHelp[name],
    registers,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function watched(registers: Registry[]): Metrics["watch"] {
  const sources = new Map<Gauge | Total, () => number>();
  return (name, read) => {
    const known = sources.has(name);
    sources.set(name, read);
    if (known) return;
    const now = (): number => sources.get(name)?.() ?? 0;
    if (name in totalHelp) showTotal(name as Total, now, registers);
    else showGauge(name as Gauge, now, registers);
  };
}

function info(registers: Registry[]): void {
  new GaugeMetric({ name: "parlor_info", help: "Always 1; says which version runs.", labelNames: ["version"], registers }).set(
    { version },
    1,
  );
}

/** A registry of its own, so that servers in one process do not add to each other's numbers. */
export function createMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  info([registry]);
  return {
    called: callMeters([registry]),
    ...connectionMeters([registry]),
    resumed: resumeMeter([registry]),
    ...roomMeters([registry]),
    watch: watched([registry]),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}
