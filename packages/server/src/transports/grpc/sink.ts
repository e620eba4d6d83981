import { constants, type ServerHttp2Stream } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { Code, type Goodbye, Goodbye_Reason, ParlorError, type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import type { FrameFormat, Sink } from "../../realtime/sink.ts";
import { endings } from "../goodbyes.ts";
import { beat, encodeFrame, grpcFormat } from "./format.ts";
import { pingSession } from "./pings.ts";
import { trailersOf } from "./status.ts";

const CLOSE_MS = 3_000;

/** The way out of one stream. It writes to the HTTP/2 stream itself, so that all readers share the bytes of a batch. */
export class GrpcSink implements Sink {
  readonly #stream: ServerHttp2Stream;
  readonly #requestId: string;
  readonly #onPong: () => void;
  readonly #waiters: (() => void)[] = [];
  readonly #onFlushed = (): void => {
    if (this.#stream.writableLength === 0) this.#release();
  };
  #ended = false;

  constructor(stream: ServerHttp2Stream, requestId: string, onPong: () => void) {
    this.#stream = stream;
    this.#requestId = requestId;
    this.#onPong = onPong;
    stream.once("close", () => this.#release());
  }

  formatFor(): FrameFormat {
    return grpcFormat;
  }

  encode(frame: ServerFrame): Uint8Array {
    return encodeFrame(frame);
  }

  write(bytes: Uint8Array): void {
    if (!this.#ended && this.#stream.writable) this.#stream.write(bytes, this.#onFlushed);
  }

  get queuedBytes(): number {
    return this.#stream.destroyed ? 0 : this.#stream.writableLength;
  }

  drained(): Promise<void> {
    if (this.queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  beat(): void {
    this.write(beat);
    if (this.#stream.session !== undefined) pingSession(this.#stream.session, this.#onPong);
  }

  end(goodbye: Goodbye): void {
    const { error } = goodbye;
    this.write(encodeFrame(create(ServerFrameSchema, { goodbye })));
    const reason = Goodbye_Reason[goodbye.reason];
    this.finish(
      endings[goodbye.reason].grpc,
      error?.message ?? `The stream was ended: ${reason}.`,
      error === undefined ? undefined : ParlorError.fromWire(error),
    );
  }

  /** Ends the stream with a status, and cuts it when the reader does not take what is left in time. */
  finish(code: Code, message: string, error?: ParlorError): void {
    if (this.#ended) return;
    this.#ended = true;
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const trailers = trailersOf({ code, message, requestId: this.#requestId, ...(error === undefined ? {} : { error }) });
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end();
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), CLOSE_MS);
    stream.once("close", () => clearTimeout(timer));
  }

  #release(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/**
 * The way to a client of a gateway. That the gateway is alive says nothing of its client: the gateway itself asks, at each
 * heartbeat. Every ending has the status OK, since what is left of a stream that failed would not be read; the goodbye says why.
 */
export class RelaySink extends GrpcSink {
  constructor(stream: ServerHttp2Stream, requestId: string) {
    super(stream, requestId, () => undefined);
  }

  override beat(): void {
    this.write(beat);
  }

  override finish(_code: Code, message: string): void {
    super.finish(Code.OK, message);
  }
}
