/**
 * Keys (`client_message_id`) that this server makes for messages of authors who cannot give one, and who say of a message that they
 * may have sent it before, but not under which key. Digits and lower-case letters of one length sort alike in every collation, so
 * that the Store finds the newest of a family by its index:
 *
 *     mqtt, family (24), when it was made (12), since when it may have been sent before (12; zeros: it was not), chance (8)
 */
const pattern = /^mqtt[0-9a-f]{56}$/;
const madeAt = 28;
const sinceAt = 40;
const chanceAt = 52;
const never = "0".repeat(12);

/** Where the part is that says since when, and what it is in keys of new messages: for the Store, which looks for the others. */
export const sincePart = { first: sinceAt + 1, length: chanceAt - sinceAt, never } as const;

/**
 * @param family what messages that may be the same one have in common: 24 lower-case hexadecimal digits
 * @param now milliseconds since 1970
 * @param since the message may have been stored since then (milliseconds since 1970); undefined for a new one
 * @param chance 8 lower-case hexadecimal digits
 */
export function publicationKey(family: string, now: number, since: number | undefined, chance: string): string {
  return `mqtt${family}${hex(now)}${since === undefined ? never : hex(since)}${chance}`;
}

/** Which keys of the same author in the same room may be the same message's. */
export interface Relatives {
  readonly low: string;
  readonly high: string;
  /** Whether only those that are said to be repeats themselves. */
  readonly repeatsOnly: boolean;
}

/**
 * A repeat is the newest of its family since then. A new message is a repeat that was made after it: it was on its way when its
 * author, who had no answer, sent it again by another node. Undefined for keys of another kind.
 */
export function relativesOf(key: string): Relatives | undefined {
  if (!pattern.test(key)) return undefined;
  const from = isRepeat(key) ? key.slice(sinceAt, chanceAt) : key.slice(madeAt, sinceAt);
  const family = key.slice(0, madeAt);
  return { low: `${family}${from}`.padEnd(key.length, "0"), high: family.padEnd(key.length, "f"), repeatsOnly: !isRepeat(key) };
}

/** Whether its author said that it may have been sent before. */
export function isRepeat(key: string): boolean {
  return pattern.test(key) && key.slice(sinceAt, chanceAt) !== never;
}

/** When a key was made (milliseconds since 1970); undefined for keys of another kind. */
export function madeWhen(key: string): number | undefined {
  return pattern.test(key) ? Number.parseInt(key.slice(madeAt, sinceAt), 16) : undefined;
}

/** What the keys of a family have in common, whole: what tells messages apart that are stored in one go. */
export function familyOf(key: string): string {
  return key.slice(0, madeAt);
}

function hex(milliseconds: number): string {
  return Math.floor(milliseconds).toString(16).padStart(12, "0");
}
