// What nodes tell each other of what each of them keeps: an entry for each thing, such as a person who is connected there.
import { type Check, isCount, isId, isListOf, isRecord } from "../domain/checks.ts";

export type Word<T> =
  | { readonly kind: "changes" | "all"; readonly entries: readonly T[] }
  | { readonly kind: "beat" | "bye" }
  /** Asks a node, or with none every node, for all of its entries. */
  | { readonly kind: "ask"; readonly of?: string };

/** `n` counts the changes that a node has told so far, so that others see when some did not reach them. */
export interface Letter<T> {
  readonly from: string;
  readonly n: number;
  readonly word: Word<T>;
}

/** Tells letters with such entries from anything else. A node of another version may write more fields. */
export function letterOf<T>(isEntry: Check<T>): Check<Letter<T>> {
  const isWord = (value: unknown): value is Word<T> => {
    if (!isRecord(value)) return false;
    const { kind, entries, of } = value;
    if (kind === "changes" || kind === "all") return isListOf(entries, isEntry);
    return kind === "beat" || kind === "bye" || (kind === "ask" && (of === undefined || isId(of)));
  };
  return (value): value is Letter<T> => isRecord(value) && isId(value["from"]) && isCount(value["n"]) && isWord(value["word"]);
}
