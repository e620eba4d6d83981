import { setTimeout as later } from "node:timers/promises";
import { Goodbye_Reason } from "@parlor/contract";
import type { MqttClient } from "mqtt";
import type { Caller } from "../../domain/call.ts";
import type { Log } from "../../ports/log.ts";
import type { Realtime } from "../../realtime/connection.ts";
import type { Api } from "../../services/api.ts";
import { connected, connectLeader, connectReceiver, connectWatcher, reconnectMs } from "./connections.ts";
import { Incoming } from "./incoming.ts";
import { Intake } from "./intake.ts";
import { Leadership } from "./leadership.ts";
import { Outgoing } from "./outgoing.ts";
import { PacketLimit } from "./packet-limit.ts";
import { LEADER, SENDS, SHARED_SENDS } from "./topics.ts";

export interface BridgeOptions {
  /** mqtt, mqtts, ws or wss, with user name and password where the broker wants them. */
  readonly brokerUrl: string;
  /** Each bridge of a broker has its own, and the same one after a restart. */
  readonly name: string;
  /** Whether all bridges take sends; otherwise only the one that leads does, in the order in which they came. */
  readonly shared: boolean;
  /** Of the account whose rooms' events are published; without it, sends are taken and nothing is published. */
  readonly token: string | undefined;
  readonly api: Api;
  readonly realtime: Realtime;
  /** The person of a user name; undefined when there is none who may sign in. */
  readonly actAs: (username: string) => Promise<Caller | undefined>;
  readonly log: Log;
}

interface Leader {
  readonly client: MqttClient;
  readonly limit: PacketLimit;
}

/** MQTT 5, section 3.14.2.1. */
const SESSION_TAKEN_OVER = 0x8e;

/** The session at the broker of whichever bridge leads: what one has not acknowledged, the next one gets. */
const LEADERS_SESSION = "parlor-bridge";

/**
 * Between this server and a broker that is there already: takes sends from it, and publishes events to it. The broker may go
 * away and come back at any time. Of several bridges one leads: it publishes events, and unless they share the sends, takes those.
 */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #broker: string;
  readonly #stop = new AbortController();
  readonly #stopped = new Promise<void>((resolve) => this.#stop.signal.addEventListener("abort", () => resolve(), { once: true }));
  readonly #watcher: MqttClient;
  readonly #receiver: MqttClient | undefined;
  readonly #leadership: Leadership;
  readonly #leading: Promise<void>;

  constructor(options: BridgeOptions) {
    this.#options = options;
    // The broker without what is secret.
    this.#broker = new URL(options.brokerUrl).host;
    this.#leadership = new Leadership(options.name);
    this.#watcher = this.#watch();
    this.#receiver = options.shared ? this.#receive(options.name, SHARED_SENDS) : undefined;
    this.#leading = this.#leadAgainAndAgain();
  }

  /** Whether the broker is there. */
  get connected(): boolean {
    return this.#watcher.connected;
  }

  /** Ends; what is not stored yet stays with the broker. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("The bridge is closed."));
    await this.#leading;
    await this.#receiver?.endAsync(true);
    await this.#watcher.endAsync(true);
  }

  #watch(): MqttClient {
    const { log, brokerUrl, name } = this.#options;
    const broker = this.#broker;
    const client = connectWatcher(brokerUrl, name);
    client.on("connect", () => {
      log.info({ broker }, "The bridge has reached the broker.");
      this.#leadership.watch(client);
    });
    client.on("message", (topic, payload) => {
      if (topic === LEADER) this.#leadership.take(payload.toString());
    });
    client.on("close", () => this.#leadership.lost());
    client.on("disconnect", ({ reasonCode }) => {
      if (reasonCode === SESSION_TAKEN_OVER)
        log.warn({ broker, name }, "Another bridge of this name is there: give each its own PARLOR_BRIDGE_NAME.");
    });
    client.on("error", (error) => log.warn({ broker, reason: error.message }, "The bridge cannot reach the broker; it tries again."));
    return client;
  }

  #receive(clientId: string, filter: string): MqttClient {
    const { log, brokerUrl } = this.#options;
    const client = connectReceiver(brokerUrl, clientId);
    const limit = new PacketLimit(client);
    const incoming = new Incoming({ ...this.#options, client, limit, clientId, signal: this.#stop.signal });
    client.on("error", () => undefined);
    client.on("connect", () =>
      client.subscribe(filter, { qos: 1 }, (error) => {
        if (error) log.error({ broker: this.#broker, err: error }, "The broker refuses the bridge's subscription.");
      }),
    );
    new Intake(client, (packet) => incoming.take(packet));
    return client;
  }

  async #leadAgainAndAgain(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#leadership.vacant(signal);
        await this.#lead();
        await later(reconnectMs * (0.5 + Math.random()), undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.warn({ err: error }, "The bridge does not publish events; it tries again.");
        await later(5 * reconnectMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Until the broker, another bridge, the server or `close` ends it. */
  async #lead(): Promise<void> {
    const { name, shared, brokerUrl } = this.#options;
    const client = connectLeader(brokerUrl);
    const limit = new PacketLimit(client);
    const gone = new Promise<void>((resolve) => client.once("close", resolve));
    let receiver: MqttClient | undefined;
    try {
      if (!(await Promise.race([connected(client), this.#stopped]))) return;
      await client.publishAsync(LEADER, name, { qos: 1, retain: true });
      if (!shared) receiver = this.#receive(LEADERS_SESSION, SENDS);
      await this.#publish({ client, limit }, Promise.race([gone, this.#stopped]));
      if (client.connected) await client.publishAsync(LEADER, "", { qos: 1, retain: true });
    } finally {
      await receiver?.endAsync(true);
      await client.endAsync(true);
    }
  }

  /** Publishes events until `over`, or the server ends it. */
  async #publish(leader: Leader, over: Promise<void>): Promise<void> {
    const { token, log } = this.#options;
    log.info({ broker: this.#broker }, "The bridge leads.");
    if (token === undefined) return over;
    const outgoing = await Outgoing.open({ ...this.#options, ...leader, token });
    const reason = await Promise.race([outgoing.ended, over]);
    if (reason !== undefined) log.warn({ reason: Goodbye_Reason[reason] }, "The server has ended the bridge's stream.");
    await outgoing.close();
  }
}
