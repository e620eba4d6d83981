// A way to PostgreSQL that breaks where a test wants it to: at a statement, before the server gets it or after it was carried out.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Whether the server gets the statement. Either way, the client gets no answer. */
export type Cut = "before" | "after";

interface Plan {
  readonly statement: RegExp;
  readonly cut: Cut;
  readonly done: () => void;
}

/** ReadyForQuery, outside of a transaction: everything sent before has been carried out. */
const idle = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #plan: Plan | undefined;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  /** `target`: the URL of a database, without TLS. */
  static async start(target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(target));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The database's URL by way of the proxy. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return Object.assign(new URL(this.#target), { hostname: "127.0.0.1", port: String(port) }).href;
  }

  /** Breaks the connection at the next statement whose text matches; resolves when it is broken. */
  cutAt(statement: RegExp, cut: Cut): Promise<void> {
    return new Promise((done) => {
      this.#plan = { statement, cut, done };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(client: Socket): void {
    const server = connect(Number(this.#target.port || 5432), this.#target.hostname);
    const way = new Way(client, server, (text) => this.#takePlan(text));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        way.end();
      });
    }
  }

  #takePlan(text: string): Plan | undefined {
    const plan = this.#plan;
    if (!plan?.statement.test(text)) return undefined;
    this.#plan = undefined;
    return plan;
  }
}

/** One connection: the client's messages one by one, so that it can be broken between two of them. */
class Way {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #planFor: (text: string) => Plan | undefined;
  readonly #prepared = new Map<string, string>();
  #pending: Buffer = Buffer.alloc(0);
  #started = false;
  /** Set: the server's answers are kept from the client, until the plan is fulfilled. */
  #plan: Plan | undefined;
  #kept: Buffer = Buffer.alloc(0);

  constructor(client: Socket, server: Socket, planFor: (text: string) => Plan | undefined) {
    this.#client = client;
    this.#server = server;
    this.#planFor = planFor;
    client.on("data", (bytes) => this.#fromClient(bytes));
    server.on("data", (bytes) => this.#fromServer(bytes));
  }

  end(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #fromClient(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    for (let message = this.#next(); message !== undefined; message = this.#next()) {
      const plan = this.#plan === undefined ? this.#planFor(this.#statementOf(message)) : undefined;
      if (plan?.cut === "before") this.#cut(plan);
      else this.#server.write(message);
      this.#plan ??= plan;
    }
  }

  #fromServer(bytes: Buffer): void {
    if (this.#plan === undefined) this.#client.write(bytes);
    else {
      this.#kept = Buffer.concat([this.#kept, bytes]);
      if (this.#kept.includes(idle)) this.#cut(this.#plan);
    }
  }

  #cut(plan: Plan): void {
    this.#pending = Buffer.alloc(0);
    this.end();
    plan.done();
  }

  /** The first message has no type before its length. */
  #next(): Buffer | undefined {
    const at = this.#started ? 1 : 0;
    if (this.#pending.length < at + 4) return undefined;
    const length = at + this.#pending.readInt32BE(at);
    if (this.#pending.length < length) return undefined;
    const message = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    this.#started = true;
    return message;
  }

  /** The text of a statement that the message carries out: a simple query, or what it binds; otherwise "". */
  #statementOf(message: Buffer): string {
    const type = String.fromCharCode(message[0] ?? 0);
    const [first = "", second = ""] = message.toString("utf8", 5).split("\0");
    if (type === "P") this.#prepared.set(first, second);
    if (type === "B") return this.#prepared.get(second) ?? "";
    return type === "Q" ? first : "";
  }
}
