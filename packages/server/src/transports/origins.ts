/** Which web pages may use the server: those of its own host, and of the origins that it is told. */
export class AllowedOrigins {
  readonly #all: boolean;
  readonly #listed: ReadonlySet<string>;

  /** @param origins as browsers send them, such as "https://chat.example.org"; "*" stands for every one */
  constructor(origins: readonly string[]) {
    this.#all = origins.includes("*");
    this.#listed = new Set(origins);
  }

  /** Compares whole origins, so that neither `null` nor a name that only begins or ends like an allowed one passes. */
  allows(origin: string, host: string | undefined): boolean {
    if (this.#all || this.#listed.has(origin)) return true;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.origin !== origin) return false;
    return host !== undefined && url.host === hostOf(host, url.protocol);
  }
}

/** A Host header as URLs write it: in lower case and without the default port of the scheme. */
function hostOf(host: string, protocol: string): string | undefined {
  const text = `${protocol}//${host}`;
  return URL.canParse(text) ? new URL(text).host : undefined;
}
