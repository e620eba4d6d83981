import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClientFrameSchema, type Event, type Reply, ServerFrameSchema } from "@parlor/contract";
import { TEXT } from "../text.ts";

/** What a server frame says, as far as it matters here. */
export interface Seen {
  readonly welcome: boolean;
  /** Each message with the text that is sent here. */
  readonly messages: readonly { readonly roomId: string; readonly seq: number }[];
  /** How many sends it acknowledges. */
  readonly acknowledged: number;
  /** A refusal or a goodbye. */
  readonly trouble?: unknown;
}

/** A representation of the stream's frames. */
export interface Codec {
  hello(token: string): Buffer;
  send(roomId: string, id: number, clientMessageId: string): Buffer;
  decode(frame: Buffer): Seen;
}

export const binary: Codec = {
  hello: (token) => Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, { kind: { case: "hello", value: { token } } }))),

  send: (roomId, id, clientMessageId) => {
    const value = { roomId, text: TEXT, clientMessageId };
    return Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, { id, kind: { case: "send", value } })));
  },

  decode: (bytes) => {
    const { welcome, events, replies, goodbye } = fromBinary(ServerFrameSchema, bytes);
    return {
      welcome: welcome !== undefined,
      messages: events.filter(isOurs),
      acknowledged: replies.filter(({ result }) => result.case === "send").length,
      trouble: goodbye ?? replies.find(isError),
    };
  },
};

function isOurs({ kind }: Event): boolean {
  return kind.case === "messageSent" && kind.value.message?.text === TEXT;
}

function isError({ result }: Reply): boolean {
  return result.case === "error";
}

/** The part of a server frame in JSON that is read here. */
interface JsonFrame {
  readonly welcome?: object;
  readonly events?: readonly {
    readonly roomId: string;
    readonly seq: number;
    readonly messageSent?: { readonly message: { readonly text: string } };
  }[];
  readonly replies?: readonly { readonly error?: object; readonly send?: object }[];
  readonly goodbye?: object;
}

export const json: Codec = {
  hello: (token) => Buffer.from(JSON.stringify({ hello: { token } })),

  send: (roomId, id, clientMessageId) => Buffer.from(JSON.stringify({ id, send: { roomId, text: TEXT, clientMessageId } })),

  decode: (bytes) => {
    const { welcome, events = [], replies = [], goodbye } = JSON.parse(bytes.toString()) as JsonFrame;
    return {
      welcome: welcome !== undefined,
      messages: events.filter((event) => event.messageSent?.message.text === TEXT),
      acknowledged: replies.filter(({ send }) => send !== undefined).length,
      trouble: goodbye ?? replies.find(({ error }) => error !== undefined),
    };
  },
};
