// What a client of PostgreSQL's protocol sends, message by message.

export interface ClientMessage {
  readonly bytes: Buffer;
  /** The text of the statement that the message carries out: of a simple query, or of what it binds; otherwise "". */
  readonly statement: string;
}

/** Reads one connection, from its first byte on or, when it has `started`, from a later message on. */
export class StatementReader {
  readonly #prepared = new Map<string, string>();
  #pending: Buffer = Buffer.alloc(0);
  #started: boolean;

  constructor({ started }: { readonly started: boolean } = { started: false }) {
    this.#started = started;
  }

  /** The messages that are complete with these bytes. */
  *read(bytes: Uint8Array): Generator<ClientMessage> {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    for (let message = this.#next(); message !== undefined; message = this.#next())
      yield { bytes: message, statement: this.#statementOf(message) };
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

  #statementOf(message: Buffer): string {
    const type = String.fromCharCode(message[0] ?? 0);
    const [first = "", second = ""] = message.toString("utf8", 5).split("\0");
    if (type === "P") this.#prepared.set(first, second);
    if (type === "B") return this.#prepared.get(second) ?? "";
    return type === "Q" ? first : "";
  }
}
