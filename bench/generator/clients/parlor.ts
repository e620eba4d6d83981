import { randomUUID } from "node:crypto";
import type { Door, Protocol, Publisher } from "../protocol.ts";
import { counting, type Stream } from "./counting.ts";
import { GrpcLink } from "./grpc-link.ts";
import { grpcData } from "./http2-frames.ts";
import { binary, type Codec, json, type Seen } from "./parlor-codecs.ts";
import { clientFrame, WebSocketLink } from "./websocket.ts";

/** What Parlor's clients need to get in. */
export interface ParlorDoor extends Door {
  readonly roomId: string;
  /** The tokens of the room's members: the publisher's first, then each listener's. */
  readonly tokens: readonly string[];
}

interface FrameStream extends Stream {
  readWhole(frame: (bytes: Buffer) => void): void;
}

/** One way to speak the stream. */
interface Way {
  readonly open: (port: number) => Promise<FrameStream>;
  /** Puts a frame of the stream into one of the protocol below. */
  readonly wrap: (frame: Buffer) => Buffer;
  readonly codec: Codec;
}

const PATH = "/api/v1/realtime";

export const parlorJson = parlor({
  open: (port) => WebSocketLink.open(port, { path: PATH, subprotocol: "parlor.v1.json" }),
  wrap: (frame) => clientFrame(frame, 1),
  codec: json,
});

export const parlorProto = parlor({
  open: (port) => WebSocketLink.open(port, { path: PATH, subprotocol: "parlor.v1.proto" }),
  wrap: (frame) => clientFrame(frame, 2),
  codec: binary,
});

export const parlorGrpc = parlor({
  open: (port) => GrpcLink.open(port, "/parlor.v1.RealtimeService/Connect"),
  wrap: grpcData,
  codec: binary,
});

function parlor(way: Way): Protocol {
  return {
    async listen(door, member, heard) {
      const stream = await enter(way, door as ParlorDoor, member + 1);
      stream.read(counting(heard));
      return stream;
    },
    publish: async (door) => new ParlorPublisher(way, door as ParlorDoor, await enter(way, door as ParlorDoor, 0)),
  };
}

/** Says hello and waits for the welcome. */
async function enter(way: Way, door: ParlorDoor, member: number): Promise<FrameStream> {
  const token = door.tokens[member];
  if (token === undefined) throw new Error(`The room has no member ${member}.`);
  const stream = await way.open(door.port);
  await new Promise<void>((resolve) => {
    stream.readWhole((frame) => {
      const { welcome, trouble } = way.codec.decode(frame);
      if (trouble !== undefined) throw new Error(`Parlor refused a member: ${JSON.stringify(trouble)}`);
      if (welcome) resolve();
    });
    stream.write(way.wrap(way.codec.hello(token)));
  });
  return stream;
}

/** Reads every frame whole: each message must come back once, in order, and be acknowledged. */
class ParlorPublisher implements Publisher {
  readonly #way: Way;
  readonly #roomId: string;
  readonly #stream: FrameStream;
  /** Makes the keys of this run unlike those of others. */
  readonly #run = randomUUID();
  #sent = 0;
  #heard = 0;
  #acknowledged = 0;
  #lastSeq = 0;

  constructor(way: Way, door: ParlorDoor, stream: FrameStream) {
    this.#way = way;
    this.#roomId = door.roomId;
    this.#stream = stream;
    stream.readWhole((frame) => this.#see(way.codec.decode(frame)));
  }

  send(messages: number): void {
    const frames = Array.from({ length: messages }, () => {
      this.#sent += 1;
      return this.#way.wrap(this.#way.codec.send(this.#roomId, this.#sent, `${this.#run}-${this.#sent}`));
    });
    this.#stream.write(Buffer.concat(frames));
  }

  get confirmed(): number {
    return Math.min(this.#heard, this.#acknowledged);
  }

  close(): void {
    this.#stream.close();
  }

  #see({ seqs, acknowledged, trouble }: Seen): void {
    if (trouble !== undefined) throw new Error(`Parlor refused a message: ${JSON.stringify(trouble)}`);
    for (const seq of seqs) {
      if (this.#heard > 0 && seq !== this.#lastSeq + 1) throw new Error(`${seq} came after ${this.#lastSeq}.`);
      this.#lastSeq = seq;
      this.#heard += 1;
    }
    this.#acknowledged += acknowledged;
  }
}
