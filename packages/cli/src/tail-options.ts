/** Where `parlor tail` begins, and what it prints. */
export interface TailOptions {
  readonly fromStart?: boolean;
  /** A seq. */
  readonly after?: number;
  /** A count of messages. */
  readonly last?: number;
  readonly json?: boolean;
}
