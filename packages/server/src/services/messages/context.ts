import type { RoomsContext } from "../rooms/context.ts";

/** What the methods about messages work with. */
export interface MessagesContext extends RoomsContext {
  /** Longest text, in Unicode code points; the contract's limit or less. */
  readonly maxCharacters: number;
  /** A read marker moved: the person's connections are told. */
  readonly readMarked: (userId: string, roomId: string, readSeq: number) => void;
}
