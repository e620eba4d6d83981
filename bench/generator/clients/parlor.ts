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
export interface Way {
  readonly open: (port: number) => Promise<FrameStream>;
  /** Puts a frame of the stream into one of the protocol below. */
  readonly wrap: (frame: Buffer) => Buffer;
  readonly codec: Codec;
}

const PATH = "/api/v1/realtime";

export const jsonWay: Way = {
  open: (port) => WebSocketLink.open(port, { path: PATH, subprotocol: "parlor.v1.json" }),
  wrap: (frame) => clientFrame(frame, 1),
  codec: json,
};

export const parlorJson = parlor(jsonWay);

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
      const { port, tokens } = door as ParlorDoor;
      // Where there are more connections than members, each member has several.
      const stream = await enter(way, port, tokens[1 + (member % (tokens.length - 1))]);
      stream.read(counting(heard));
      return stream;
    },
    publish: async (door) => {
      const { port, roomId, tokens } = door as ParlorDoor;
      return new ParlorPublisher(way, [roomId], await enter(way, port, tokens[0]));
    },
  };
}

/** Says hello and waits for the welcome. */
export async function enter(way: Way, port: number, token: string | undefined): Promise<FrameStream> {
  if (token === undefined) throw new Error("The room has too few members.");
  const stream = await way.open(port);
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

/** Sends to its rooms in turn. Reads every frame whole: each message must come back once, in order, and be acknowledged. */
export class ParlorPublisher implements Publisher {
  readonly #way: Way;
  readonly #roomIds: readonly string[];
  readonly #stream: FrameStream;
  /** Makes the keys of this run unlike those of others. */
  readonly #run = randomUUID();
  #sent = 0;
  #heard = 0;
  #acknowledged = 0;
  readonly #lastSeqs = new Map<string, number>();
  /** Told how many messages were just acknowledged. */
  onAcknowledged: (messages: number) => void = () => undefined;

  constructor(way: Way, roomIds: readonly string[], stream: FrameStream) {
    this.#way = way;
    this.#roomIds = roomIds;
    this.#stream = stream;
    stream.readWhole((frame) => this.#see(way.codec.decode(frame)));
  }

  send(messages: number): void {
    const frames = Array.from({ length: messages }, () => {
      const roomId = this.#roomIds[this.#sent % this.#roomIds.length] as string;
      this.#sent += 1;
      return this.#way.wrap(this.#way.codec.send(roomId, this.#sent, `${this.#run}-${this.#sent}`));
    });
    this.#stream.write(Buffer.concat(frames));
  }

  get sent(): number {
    return this.#sent;
  }

  get confirmed(): number {
    return Math.min(this.#heard, this.#acknowledged);
  }

  close(): void {
    this.#stream.close();
  }

  #see({ messages, acknowledged, trouble }: Seen): void {
    if (trouble !== undefined) throw new Error(`Parlor refused a message: ${JSON.stringify(trouble)}`);
    for (const { roomId, seq } of messages) {
      const last = this.#lastSeqs.get(roomId);
      if (last !== undefined && seq !== last + 1) throw new Error(`${seq} came after ${last}.`);
      this.#lastSeqs.set(roomId, seq);
      this.#heard += 1;
    }
    this.#acknowledged += acknowledged;
    if (acknowledged > 0) this.onAcknowledged(acknowledged);
  }
}
