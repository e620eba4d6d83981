// What stands in front of the nodes: takes each connection to one that answers, in turn.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export class Balancer implements AsyncDisposable {
  readonly #server: Server;
  readonly #ports: readonly number[];
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer((socket) => void this.#take(socket));
  }

  static async before(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    balancer.#server.listen(0, "127.0.0.1");
    await once(balancer.#server, "listening");
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #take(client: Socket): Promise<void> {
    this.#keep(client);
    for (const _ of this.#ports) {
      const node = await this.#reach(this.#ports[this.#turn++ % this.#ports.length] as number);
      if (!node) continue;
      client.pipe(node).pipe(client);
      client.on("close", () => node.destroy());
      node.on("close", () => client.destroy());
      return;
    }
    client.destroy();
  }

  /** A connection to a node; undefined when nobody listens there. */
  #reach(port: number): Promise<Socket | undefined> {
    return new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      this.#keep(socket);
      socket.once("connect", () => resolve(socket));
      socket.once("error", () => resolve(undefined));
    });
  }

  #keep(socket: Socket): void {
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
