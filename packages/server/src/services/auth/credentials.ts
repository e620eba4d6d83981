import { type ParlorError, Reason } from "@parlor/contract";
import { unauthenticated } from "../../domain/refusals.ts";
import type { UserRow } from "../../store/users.ts";
import type { Attempt, LogInFailures } from "./log-in-failures.ts";
import type { Passwords } from "./passwords.ts";

/** Somebody says who they are. */
export interface Claim {
  /** In lower case. */
  readonly username: string;
  readonly password: string;
  readonly address: string;
}

/** Checks passwords, and lets nobody try many. */
export class Credentials {
  readonly #passwords: Passwords;
  readonly #failures: LogInFailures;

  constructor(passwords: Passwords, failures: LogInFailures) {
    this.#passwords = passwords;
    this.#failures = failures;
  }

  /** The hash of a new password. @throws ParlorError as Passwords.hashNew */
  hashNew(password: string, field: string): Promise<string> {
    return this.#passwords.hashNew(password, field);
  }

  /**
   * Checks the password of a person, who may not exist or whose account may be closed: the answer, the work, and what is
   * counted are the same as for a wrong password.
   * @throws ParlorError UNAUTHENTICATED/BAD_CREDENTIALS, RESOURCE_EXHAUSTED: TOO_MANY_ATTEMPTS or OVERLOADED
   */
  async check(user: UserRow | undefined, { username, password, address }: Claim): Promise<UserRow> {
    // First before the queue, so that whoever is locked out takes no place in it.
    this.#failures.check(username, address);
    let attempt: Attempt | undefined;
    const active = user?.deactivated_at === null ? user : undefined;
    const matches = await this.#passwords.matches(password, active?.password_hash, () => {
      attempt = this.#failures.begin(username, address);
    });
    if (!active || !matches) throw badCredentials();
    attempt?.succeeded();
    return active;
  }
}

export function badCredentials(): ParlorError {
  return unauthenticated(Reason.BAD_CREDENTIALS, "User name or password is wrong.");
}
