import { Code, type ParlorError } from "@parlor/contract";

/** Where the REST interface and the stream of a server are. */
export interface Server {
  /** The base path of the interface, with no slash at the end: `https://chat.example/api/v1`. */
  readonly rest: string;
  readonly stream: string;
}

/** The servers that a client may speak to, of which any will do, and the one that it speaks to now. */
export class Servers {
  readonly #all: readonly Server[];
  #current: number;

  /**
   * @param random a number of at least 0 and below 1: clients with the same list begin with different servers
   * @throws TypeError when there is none, or one is not an http or https URL
   */
  constructor(urls: string | readonly string[], random: () => number) {
    this.#all = [urls].flat().map(serverAt);
    if (this.#all.length === 0) throw new TypeError("a client needs the URL of a server");
    this.#current = this.#all.length === 1 ? 0 : Math.floor(random() * this.#all.length);
  }

  get current(): Server {
    return this.#all[this.#current] as Server;
  }

  /** Goes on to the next one, if this error came from the one in use and may be its own: another may do better. */
  failed(server: Server, { code }: ParlorError): void {
    if (server !== this.current || !ownTroubles.has(code)) return;
    this.#current = (this.#current + 1) % this.#all.length;
  }
}

const ownTroubles: ReadonlySet<Code> = new Set([Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL]);

function serverAt(url: string): Server {
  const { protocol, origin, pathname } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") throw new TypeError(`${url} is not an http or https URL`);
  const rest = `${origin}${pathname.replace(/\/+$/, "")}/api/v1`;
  return { rest, stream: `${rest.replace(/^http/, "ws")}/realtime` };
}
