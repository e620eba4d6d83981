import { invalidFields } from "@parlor/contract";
import { compare, hash } from "bcrypt";
import { isCommonPassword } from "./common-passwords.ts";
import type { HashingQueue } from "./hashing-queue.ts";

/** bcrypt takes no more into account, so a longer password would be cut without a word. */
const maxBytes = 72;

/** Passwords and their bcrypt hashes, computed in libuv's pool. */
export class Passwords {
  readonly #queue: HashingQueue;
  readonly #cost: number;
  /** In the form of a hash, but of no password that anybody knows. */
  readonly #nobodys: string;

  /** @param cost the logarithm of the work; one more doubles it */
  constructor(queue: HashingQueue, cost: number) {
    this.#queue = queue;
    this.#cost = cost;
    this.#nobodys = `$2b$${String(cost).padStart(2, "0")}$C6UzMDM.H6dfI/f/IKcEeO4f.1rTF5vLtF2fPzZ7vVYt0p7n2kZ1W`;
  }

  /**
   * The hash of a new password.
   * @param field the request's field, which a refusal names
   * @throws ParlorError INVALID_ARGUMENT when it is too common or cannot be hashed whole, RESOURCE_EXHAUSTED/OVERLOADED
   */
  async hashNew(password: string, field: string): Promise<string> {
    if (!canHash(password)) throw invalidFields({ field, description: "must be at most 72 bytes of UTF-8, without a NUL character" });
    if (await isCommonPassword(password)) throw invalidFields({ field, description: "must not be one of the 3,000 commonest passwords" });
    return this.#queue.run(() => hash(password, this.#cost));
  }

  /**
   * Whether a password is the one that was hashed. It takes the same time for an account that does not exist or has no
   * password: leave `stored` out, or empty.
   * @param begin called when the turn has come, right before the comparison; what it throws is the answer
   * @throws ParlorError RESOURCE_EXHAUSTED/OVERLOADED
   */
  async matches(password: string, stored: string | undefined, begin: () => void = () => {}): Promise<boolean> {
    const known = stored !== undefined && stored !== "" && canHash(password);
    const same = await this.#queue.run(async () => {
      begin();
      return compare(canHash(password) ? password : "", known ? stored : this.#nobodys);
    });
    return known && same;
  }
}

function canHash(password: string): boolean {
  return Buffer.byteLength(password) <= maxBytes && !password.includes("\0");
}
