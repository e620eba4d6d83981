import { createHmac, timingSafeEqual } from "node:crypto";
import { Code, ParlorError, Reason } from "@parlor/contract";

/** Where a page ended: the sort key of its last item. */
export type PageKey = readonly (string | number)[];

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const tagBytes = 16;

/** Items per page: what was asked for, or 50. */
export function pageSizeOf(requested: number): number {
  return requested === 0 ? 50 : requested;
}

/** A scope for page tokens: the name of a list, its caller, and every filter that decides what is in it. */
export function pageScope(list: string, ...bindings: readonly (string | number | boolean)[]): string {
  return JSON.stringify([list, ...bindings]);
}

/** Gives out and reads page tokens: opaque, and good only for the scope for which they were made. */
export class PageTokens {
  readonly #secret: Uint8Array;

  /** @param secret at least 16 bytes that no client knows, the same on every node */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  seal(scope: string, key: PageKey): string {
    const payload = Buffer.from(JSON.stringify(key));
    return Buffer.concat([this.#tag(scope, payload), payload]).toString("base64url");
  }

  /**
   * The key that was sealed for this scope; undefined when the token is empty, which asks for the first page.
   * @throws ParlorError INVALID_ARGUMENT/PAGE_TOKEN_INVALID
   */
  open(scope: string, token: string): PageKey | undefined {
    if (token === "") return undefined;
    const bytes = Buffer.from(token, "base64url");
    const payload = bytes.subarray(tagBytes);
    if (bytes.length <= tagBytes || !timingSafeEqual(bytes.subarray(0, tagBytes), this.#tag(scope, payload))) {
      throw pageTokenInvalid();
    }
    return JSON.parse(payload.toString()) as PageKey;
  }

  /** The page that begins a list of rows, of which one more than a page was read to see whether there are more. */
  cut<T>(scope: string, rows: readonly T[], size: number, keyOf: (last: T) => PageKey): Page<T> {
    const items = rows.slice(0, size);
    const last = items.at(-1);
    return { items, nextPageToken: rows.length > size && last !== undefined ? this.seal(scope, keyOf(last)) : "" };
  }

  #tag(scope: string, payload: Uint8Array): Buffer {
    // The scope is preceded by its length so that no part of it can be taken for the payload.
    const hmac = createHmac("sha256", this.#secret).update(`${Buffer.byteLength(scope)}:${scope}`);
    return hmac.update(payload).digest().subarray(0, tagBytes);
  }
}

function pageTokenInvalid(): ParlorError {
  const description = "must be the next_page_token of a page of this same list";
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.PAGE_TOKEN_INVALID, `page_token ${description}`, {
    violations: [{ field: "page_token", description }],
  });
}
