import { type Goodbye, Goodbye_Reason } from "@parlor/contract";
import type { Metrics } from "../../ports/metrics.ts";
import type { Connection, Origin, Realtime } from "../../realtime/connection.ts";
import { goodbye } from "../../realtime/goodbyes.ts";
import type { Sink } from "../../realtime/sink.ts";
import { RemoteConnection } from "./remote-connection.ts";
import type { ServiceChannel } from "./service-channel.ts";
import { SharedFrames } from "./shared-frames.ts";

/** When the realtime service is lost, its clients come back within this time, each at its own moment (milliseconds). */
const spreadMs = 5000;
/** And none of them before this, so that it has a chance to be there again. */
const leastMs = 250;

/** The realtime service in another process: each client's connection is a RealtimeService.Connect of its own. */
export class RemoteRealtime implements Realtime {
  readonly #channel: ServiceChannel;
  readonly #frames = new SharedFrames();
  readonly #open = new Set<RemoteConnection>();
  readonly #metrics: Metrics;
  #draining = false;

  constructor(channel: ServiceChannel, metrics: Metrics) {
    this.#channel = channel;
    this.#metrics = metrics;
    metrics.watch("queued_bytes", () => [...this.#open].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0));
  }

  open(sink: Sink, origin: Origin): Connection {
    const connection = new RemoteConnection(sink, this.#channel.connect(origin), {
      frames: this.#frames,
      lost: () => shutdown(leastMs, spreadMs),
      ended: (ended, reason) => {
        this.#open.delete(ended);
        this.#metrics.disconnected(origin.protocol, reason === undefined ? "CLIENT" : Goodbye_Reason[reason]);
      },
    });
    this.#open.add(connection);
    this.#metrics.connected(origin.protocol);
    if (this.#draining) connection.end(shutdown(0, spreadMs));
    return connection;
  }

  /** Says goodbye to everyone, each with another time to come back, and takes nobody new. */
  drain(withinMs: number): void {
    this.#draining = true;
    for (const connection of this.#open) connection.end(shutdown(0, withinMs));
  }
}

function shutdown(fromMs: number, withinMs: number): Goodbye {
  return goodbye(Goodbye_Reason.SHUTDOWN, { afterMs: Math.floor(fromMs + Math.random() * (withinMs - fromMs)) });
}
