// A socket that speaks MQTT as a test wants it: nothing is acknowledged or repeated by itself.
import { connect, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";
import { Inbox } from "./inbox.ts";

export class RawMqtt implements AsyncDisposable {
  readonly socket: Socket;
  readonly packets = new Inbox<Packet>();
  /** The other side has closed. */
  readonly closed: Promise<void>;
  readonly #version: 4 | 5;

  private constructor(socket: Socket, version: 4 | 5) {
    this.socket = socket;
    this.#version = version;
    const reader = parser({ protocolVersion: version });
    reader.on("packet", (packet) => this.packets.put(packet));
    socket.on("data", (bytes) => void reader.parse(bytes));
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => void socket.once("close", () => resolve()));
  }

  static async open(port: number, version: 4 | 5 = 5): Promise<RawMqtt> {
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => void socket.once("connect", resolve).once("error", reject));
    return new RawMqtt(socket, version);
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet, { protocolVersion: this.#version }));
  }

  /** The first packet of a kind, whether it came already or comes later. */
  async find<C extends Packet["cmd"]>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    return (await this.packets.find((packet) => packet.cmd === cmd)) as Extract<Packet, { cmd: C }>;
  }

  /** What was published to it. */
  get published(): Extract<Packet, { cmd: "publish" }>[] {
    return this.packets.items.filter((packet) => packet.cmd === "publish");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}
