// A broker that delivers what a test has written, to show what a client answers.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { generate, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { Inbox } from "./inbox.ts";

const version = { protocolVersion: 5 } as const;

export class ScriptedBroker implements AsyncDisposable {
  /** Ids of the packets that clients have acknowledged, in this order. */
  readonly acknowledged = new Inbox<number>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param filter what is delivered, in one write, to whoever subscribes to this */
  static async start(filter: string, deliveries: readonly Pick<IPublishPacket, "topic" | "payload">[]): Promise<ScriptedBroker> {
    const server = createServer();
    const broker = new ScriptedBroker(server);
    const publishes = deliveries.map((delivery, index) =>
      generate({ cmd: "publish", qos: 1, dup: false, retain: false, messageId: index + 1, ...delivery }, version),
    );
    server.on("connection", (socket) => broker.#serve(socket, filter, Buffer.concat(publishes)));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket, filter: string, publishes: Buffer): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    const packets = parser(version);
    packets.on("packet", (packet: Packet) => {
      const answer = answerTo(packet);
      if (answer) socket.write(generate(answer, version));
      if (packet.cmd === "puback") this.acknowledged.put(packet.messageId as number);
      if (packet.cmd === "subscribe" && packet.subscriptions.some(({ topic }) => topic === filter)) socket.write(publishes);
    });
    socket.on("data", (bytes) => packets.parse(bytes));
  }
}

function answerTo(packet: Packet): Packet | undefined {
  if (packet.cmd === "connect") return { cmd: "connack", reasonCode: 0, sessionPresent: false };
  if (packet.cmd === "subscribe")
    return { cmd: "suback", messageId: packet.messageId as number, granted: packet.subscriptions.map(() => 1) };
  if (packet.cmd === "publish" && packet.qos === 1) return { cmd: "puback", messageId: packet.messageId as number, reasonCode: 0 };
  return packet.cmd === "pingreq" ? { cmd: "pingresp" } : undefined;
}
