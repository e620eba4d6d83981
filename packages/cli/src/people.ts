import type { ParlorClient } from "@parlor/client";
import { printable } from "./terminal.ts";

/** The user names of people, asked for once each. */
export class People {
  readonly #client: ParlorClient;
  readonly #names = new Map<string, string>();

  constructor(client: ParlorClient) {
    this.#client = client;
  }

  /** The id itself when the name cannot be had. */
  async name(userId: string): Promise<string> {
    const known = this.#names.get(userId);
    if (known !== undefined) return known;
    const name = await this.#ask(userId);
    this.#names.set(userId, name);
    return name;
  }

  async #ask(userId: string): Promise<string> {
    try {
      return printable((await this.#client.users.getUser({ userId })).user?.username ?? userId);
    } catch {
      return userId;
    }
  }
}
