import { Code } from "@parlor/contract";
import { Counter, collectDefaultMetrics, Gauge as GaugeMetric, Histogram, Registry } from "prom-client";
import type { Gauge, Metrics } from "../ports/metrics.ts";

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
};

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

function roomMeters(registers: Registry[]): Pick<Metrics, "delivered" | "committed" | "fannedOut"> {
  const deliveries = new Counter({
    name: "parlor_deliveries_total",
    help: "Events handed to live connections, summed over connections.",
    registers,
  });
  const batch = new Histogram({
    name: "parlor_commit_sends",
    help: "Sends committed by one transaction.",
    buckets: sendsPerCommit,
    registers,
  });
  const commit = new Histogram({
    name: "parlor_commit_seconds",
    help: "Duration of the transactions that commit sends.",
    buckets: callSeconds,
    registers,
  });
  const lag = new Histogram({
    name: "parlor_fan_out_lag_seconds",
    help: "Time from a commit until its events were handed to every connection of this node.",
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

function gauges(registers: Registry[]): Metrics["watch"] {
  const sources = new Map<Gauge, () => number>();
  for (const [name, help] of Object.entries(gaugeHelp) as [Gauge, string][]) {
    new GaugeMetric({
      name: `parlor_${name}`,
      help,
      registers,
      collect() {
        this.set(sources.get(name)?.() ?? 0);
      },
    });
  }
  return (gauge, read) => void sources.set(gauge, read);
}

/** A registry of its own, so that servers in one process do not add to each other's numbers. */
export function createMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    called: callMeters([registry]),
    ...connectionMeters([registry]),
    ...roomMeters([registry]),
    watch: gauges([registry]),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}
