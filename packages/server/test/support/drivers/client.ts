// REST for what the stream cannot, and the stream over WebSocket; both through the public client.
import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Event, type Gap, ParlorClient, type User } from "@parlor/client";
import { Inbox } from "../inbox.ts";
import { password } from "../running.ts";
import type { Cursor, Driver, Ending, Live, Person } from "./driver.ts";

type Format = "json" | "proto";

/** @param url a server, or its nodes */
export function clientDriver(url: string | readonly string[], format: Format): Driver {
  const begin = async (act: (client: ParlorClient) => Promise<User>): Promise<Person> => {
    const client = new ParlorClient({ url, format });
    const user = await act(client);
    return new ClientPerson(url, format, client, client.tokens?.accessToken ?? "", user);
  };
  return {
    name: format === "json" ? "REST + WebSocket JSON" : "REST + WebSocket protobuf",
    signUp: (username) => begin((client) => client.signUp({ username, password })),
    logIn: (username) => begin((client) => client.logIn({ username, password })),
    withToken: (token, user) =>
      new ClientPerson(url, format, new ParlorClient({ url, format, ...(token === "" ? {} : { token }) }), token, user),
  };
}

type ServiceName = "auth" | "users" | "rooms" | "messages" | "presence";
type AnyMethod = (request: unknown) => Promise<unknown>;

class ClientPerson implements Person {
  readonly user: User;
  readonly token: string;
  readonly #url: string | readonly string[];
  readonly #format: Format;
  readonly #rest: ParlorClient;
  readonly #streams: ParlorClient[] = [];

  constructor(url: string | readonly string[], format: Format, rest: ParlorClient, token: string, user: User) {
    this.#url = url;
    this.#format = format;
    this.#rest = rest;
    this.token = token;
    this.user = user;
  }

  call<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>> {
    const service = method.parent.name.replace("Service", "").toLowerCase() as ServiceName;
    const call = (this.#rest[service] as unknown as Readonly<Record<string, AnyMethod>>)[method.localName] as AnyMethod;
    return call(request) as Promise<MessageShape<M["output"]>>;
  }

  /** Each stream is a client of its own, as on another device. */
  async connect(resume: readonly Cursor[] = []): Promise<Live> {
    const client = new ParlorClient({
      url: this.#url,
      format: this.#format,
      token: this.token,
      resume,
      backoff: { baseMs: 20, capMs: 200 },
    });
    this.#streams.push(client);
    const inbox = new Inbox<Event>();
    const gaps = new Inbox<Gap>();
    const ended = Promise.withResolvers<Ending>();
    client.on("event", (event) => inbox.put(event));
    client.on("gap", (gap) => gaps.put(gap));
    client.on("state", ({ state, goodbye, retryInMs }) => {
      if (state === "closed" || goodbye !== undefined) ended.resolve({ reason: goodbye, afterMs: retryInMs });
    });
    const welcome = await client.connect();
    return {
      welcome,
      inbox,
      gaps,
      ended: ended.promise,
      send: (roomId, text, clientMessageId) => client.send(roomId, text, { clientMessageId }),
      markRead: (roomId, seq) => client.markRead(roomId, seq),
      setPresence: (status) => client.setPresence(status),
      typing: (roomId) => client.typing(roomId),
      close: () => client.close(),
    };
  }

  close(): void {
    this.#rest.close();
    for (const client of this.#streams) client.close();
  }
}
