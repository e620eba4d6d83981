import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { Code, type ParlorError, Reason } from "@parlor/contract";

const id = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const pageToken = /"nextPageToken":"[^"]+"/g;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;

/** Where two transcripts first differ; undefined when they are equal. */
export function firstDifference(noted: readonly string[], expected: readonly string[]) {
  const at = noted.findIndex((line, i) => line !== expected[i]);
  if (at < 0 && noted.length === expected.length) return undefined;
  const line = at < 0 ? noted.length : at;
  return { line, noted: noted[line], expected: expected[line] };
}

/**
 * What happened in a run, in a form that is the same for every run of one scenario: ids get the names of their first appearance,
 * times become "<time>".
 */
export class Transcript {
  readonly #lines: string[] = [];
  readonly #names = new Map<string, string>();
  readonly #suffix: string;

  /** @param suffix what this run adds to user names, which is left out */
  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Notes a message of the contract. */
  message<S extends DescMessage>(title: string, schema: S, message: MessageShape<S>): void {
    this.note(title, toJson(schema, message, { alwaysEmitImplicit: true }));
  }

  /** Notes anything that JSON can say. */
  note(title: string, value: unknown): void {
    const text = JSON.stringify(value)
      .replaceAll(this.#suffix, "")
      .replaceAll(time, "<time>")
      .replaceAll(pageToken, '"nextPageToken":"<page>"');
    this.#lines.push(`${title}: ${text.replaceAll(id, (found) => this.#nameOf(found))}`);
  }

  /** Notes how a call was refused; code, reason and violations, and the words for people too. */
  refusal(title: string, error: ParlorError): void {
    const { code, reason, message, violations, retryAfterMs } = error;
    const seconds = retryAfterMs === undefined ? undefined : "<wait>";
    this.note(title, {
      refused: Code[code],
      reason: Reason[reason],
      message,
      violations: violations.map(({ field, description }) => ({ field, description })),
      retryAfter: seconds,
    });
  }

  #nameOf(found: string): string {
    const known = this.#names.get(found) ?? `#${this.#names.size + 1}`;
    this.#names.set(found, known);
    return known;
  }
}
