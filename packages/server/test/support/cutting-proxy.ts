// A way to PostgreSQL that breaks where a test wants it to.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Cut, CutPlan } from "./lossy-database.ts";
import { StatementReader } from "./statement-reader.ts";

/** ReadyForQuery, outside of a transaction: everything sent before has been carried out. */
const idle = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #plan: CutPlan | undefined;

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

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
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

  #takePlan(text: string): CutPlan | undefined {
    const plan = this.#plan;
    if (!plan?.statement.test(text)) return undefined;
    this.#plan = undefined;
    return plan;
  }
}

/** One connection, which can be broken between two messages of the client. */
class Way {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #planFor: (text: string) => CutPlan | undefined;
  readonly #reader = new StatementReader();
  /** Set: the server's answers are kept from the client, until the plan is fulfilled. */
  #plan: CutPlan | undefined;
  #kept: Buffer = Buffer.alloc(0);

  constructor(client: Socket, server: Socket, planFor: (text: string) => CutPlan | undefined) {
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
    let now: CutPlan | undefined;
    for (const { bytes: message, statement } of this.#reader.read(bytes)) {
      const plan = this.#plan === undefined ? this.#planFor(statement) : undefined;
      if (plan?.cut === "after") this.#plan = plan;
      else now ??= plan;
      if (now?.cut !== "before") this.#server.write(message);
    }
    if (now) this.#cut(now);
  }

  #fromServer(bytes: Buffer): void {
    if (this.#plan === undefined) this.#client.write(bytes);
    else {
      this.#kept = Buffer.concat([this.#kept, bytes]);
      if (this.#kept.includes(idle)) this.#cut(this.#plan);
    }
  }

  #cut(plan: CutPlan): void {
    this.end();
    plan.done();
  }
}
