import { type Goodbye, Goodbye_Reason } from "@parlor/contract";
import type { Log } from "../../ports/log.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Connection, Origin, Realtime } from "../../realtime/connection.ts";
import { goodbye } from "../../realtime/goodbyes.ts";
import type { Sink } from "../../realtime/sink.ts";
import { RemoteConnection } from "./remote-connection.ts";
import type { ServiceChannel } from "./service-channel.ts";
import { SharedFrames } from "./shared-frames.ts";

/** When the realtime service is lost, or cannot be understood, its clients come back within this time, each at its own moment (milliseconds). */
const spreadMs = 5000;
/** And none of them before this, so that it has a chance to be there again. */
const leastMs = 250;

/** The realtime service in another process: each client's connection is a RealtimeService.Connect of its own. */
export class RemoteRealtime implements Realtime {
  readonly #channel: ServiceChannel;
  readonly #frames = new SharedFrames();
  readonly #open = new Set<RemoteConnection>();
  readonly #metrics: Metrics;
  readonly #log: Log;
  #draining = false;

  constructor(channel: ServiceChannel, { metrics, log }: { readonly metrics: Metrics; readonly log: Log }) {
    this.#channel = channel;
    this.#metrics = metrics;
    this.#log = log;
    metrics.watch("queued_bytes", () => [...this.#open].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0));
  }

  open(sink: Sink, origin: Origin): Connection {
    const connection = new RemoteConnection(sink, this.#channel.connect(origin), {
      frames: this.#frames,
      lost: () => comeBack(Goodbye_Reason.SHUTDOWN, leastMs, spreadMs),
      unreadable: (error) => {
        this.#log.error({ err: error, requestId: origin.requestId }, "What the realtime service sent cannot be read");
        return comeBack(Goodbye_Reason.INTERNAL, leastMs, spreadMs);
      },
      ended: (ended, reason) => {
        this.#open.delete(ended);
        this.#metrics.disconnected(origin.protocol, reason === undefined ? "CLIENT" : Goodbye_Reason[reason]);
      },
    });
    this.#open.add(connection);
    this.#metrics.connected(origin.protocol);
    if (this.#draining) connection.end(comeBack(Goodbye_Reason.SHUTDOWN, 0, spreadMs));
    return connection;
  }

  /** Says goodbye to everyone, each with another time to come back, and takes nobody new. */
  drain(withinMs: number): void {
    this.#draining = true;
    for (const connection of this.#open) connection.end(comeBack(Goodbye_Reason.SHUTDOWN, 0, withinMs));
  }
}

function comeBack(reason: Goodbye_Reason, fromMs: number, withinMs: number): Goodbye {
  return goodbye(reason, { afterMs: Math.floor(fromMs + Math.random() * (withinMs - fromMs)) });
}
