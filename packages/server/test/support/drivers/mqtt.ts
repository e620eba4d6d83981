// MQTT 5 for all that MQTT has topics for, REST for the rest; docs/mqtt.md lists what it has none for, and why.
import { createHash, randomUUID } from "node:crypto";
import { type DescMessage, fromJsonString, type MessageShape } from "@bufbuild/protobuf";
import {
  ErrorSchema,
  type Event,
  EventSchema,
  type Gap,
  GapSchema,
  MarkReadResponseSchema,
  ParlorError,
  Presence_Status,
  SendMessageResponseSchema,
  SetPresenceResponseSchema,
} from "@parlor/contract";
import mqtt, { type MqttClient } from "mqtt";
import { Inbox } from "../inbox.ts";
import { clientDriver } from "./client.ts";
import type { Cursor, Driver, Ending, Live, Person } from "./driver.ts";

const replies = "parlor/v1/me/replies/driver";
const gaps = "parlor/v1/me/gaps";
/** A session for each person of a driver, which is kept between connections. */
const sessionSeconds = 3600;

export function mqttDriver({ port, url }: { readonly port: number; readonly url: string }): Driver {
  const rest = clientDriver(url, "json");
  return {
    name: "MQTT 5 + REST",
    signUp: async (username) => new MqttPerson(port, await rest.signUp(username)),
    logIn: async (username) => new MqttPerson(port, await rest.logIn(username)),
    withToken: (token, user) => new MqttPerson(port, rest.withToken(token, user)),
  };
}

class MqttPerson implements Person {
  readonly #port: number;
  readonly #rest: Person;
  /** The same on every node. */
  readonly #clientId: string;
  readonly #streams: Live[] = [];

  constructor(port: number, rest: Person) {
    this.#port = port;
    this.#rest = rest;
    this.#clientId = createHash("sha256").update(rest.token).digest("hex");
  }

  get user() {
    return this.#rest.user;
  }

  get token() {
    return this.#rest.token;
  }

  get call() {
    return this.#rest.call.bind(this.#rest);
  }

  /** MQTT has no welcome, and its sessions know by themselves where they are: what would be said is asked over WebSocket. */
  async connect(resume: readonly Cursor[] = []): Promise<Live> {
    const aside = await this.#rest.connect(resume);
    aside.close();
    const client = mqtt.connect(`mqtt://127.0.0.1:${this.#port}`, {
      protocolVersion: 5,
      clean: false,
      clientId: this.#clientId,
      username: this.user.username,
      password: this.token,
      properties: { sessionExpiryInterval: sessionSeconds },
      reconnectPeriod: 0,
    });
    const live = new MqttStream(client).open(aside.welcome);
    this.#streams.push(await live);
    return live;
  }

  close(): void {
    this.#rest.close();
    for (const stream of this.#streams) stream.close();
  }
}

/** One connection. */
class MqttStream {
  readonly #client: MqttClient;
  readonly #inbox = new Inbox<Event>();
  readonly #gaps = new Inbox<Gap>();
  readonly #answers = new Map<string, PromiseWithResolvers<string>>();

  constructor(client: MqttClient) {
    this.#client = client;
    client.on("message", (topic, payload, { properties }) => {
      if (topic === replies) this.#answers.get(String(properties?.correlationData))?.resolve(payload.toString());
      else if (topic === gaps) this.#gaps.put(fromJsonString(GapSchema, payload.toString()));
      else this.#inbox.put(fromJsonString(EventSchema, payload.toString()));
    });
    client.on("error", () => undefined);
  }

  async open(welcome: Live["welcome"]): Promise<Live> {
    const ended = Promise.withResolvers<Ending>();
    this.#client.once("close", () => ended.resolve({ reason: undefined, afterMs: undefined }));
    await new Promise((resolve, reject) => this.#client.once("connect", resolve).once("error", reject));
    await this.#client.subscribeAsync(["parlor/v1/rooms/+/events", "parlor/v1/rooms/+/typing", "parlor/v1/me/presence", replies, gaps], {
      qos: 1,
    });
    return {
      welcome,
      inbox: this.#inbox,
      gaps: this.#gaps,
      ended: ended.promise,
      send: (roomId, text, clientMessageId) =>
        this.#ask(SendMessageResponseSchema, `parlor/v1/rooms/${roomId}/send`, JSON.stringify({ text, clientMessageId })),
      markRead: async (roomId, seq) =>
        (await this.#ask(MarkReadResponseSchema, `parlor/v1/rooms/${roomId}/read`, JSON.stringify({ seq }))).readSeq,
      setPresence: async (status) => {
        const { presence } = await this.#ask(SetPresenceResponseSchema, "parlor/v1/me/presence", Presence_Status[status]);
        if (!presence) throw new Error("the answer holds no presence");
        return presence;
      },
      typing: (roomId) => void this.#client.publish(`parlor/v1/rooms/${roomId}/typing`, ""),
      close: () => void this.#client.end(),
    };
  }

  async #ask<S extends DescMessage>(schema: S, topic: string, payload: string): Promise<MessageShape<S>> {
    const id = randomUUID();
    const answer = Promise.withResolvers<string>();
    this.#answers.set(id, answer);
    const properties = { responseTopic: replies, correlationData: Buffer.from(id) };
    // A PUBACK with a reason code of its own is an error to this client; the answer says more.
    this.#client.publishAsync(topic, payload, { qos: 1, properties }).catch(() => undefined);
    const text = await answer.promise;
    this.#answers.delete(id);
    const { error } = JSON.parse(text) as { readonly error?: object };
    if (error) throw ParlorError.fromWire(fromJsonString(ErrorSchema, JSON.stringify(error)));
    return fromJsonString(schema, text);
  }
}
