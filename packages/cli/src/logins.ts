// The logins of this person on this machine, in a file that only they can read.
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { exitCodes, UsageError } from "./failure.ts";

export interface Login {
  readonly username: string;
  /** An API token: unlike a session's tokens it does not change, so that several commands can use it at once. */
  readonly token: string;
}

interface Logins {
  /** The server of the last login. */
  readonly current?: string;
  readonly servers: Readonly<Record<string, Login>>;
}

export interface Account {
  readonly url: string;
  readonly token: string;
}

const defaultUrl = "http://localhost:8080";

/** ~/.config/parlor/logins.json, or where XDG_CONFIG_HOME says. */
function loginsFile(): string {
  return join(process.env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "parlor", "logins.json");
}

function readLogins(): Logins {
  let text: string;
  try {
    text = readFileSync(loginsFile(), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { servers: {} };
    throw error;
  }
  try {
    return JSON.parse(text) as Logins;
  } catch {
    throw new UsageError(`${loginsFile()} is not JSON. Remove it and log in again.`, exitCodes.failed);
  }
}

/** Under another name first: a crash leaves the old logins or the new ones, never half of them. */
function writeLogins(logins: Logins): void {
  const file = loginsFile();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(logins, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}

/** The server to talk to: as given, PARLOR_URL, that of the last login, or this machine. */
export function serverUrl(given?: string): string {
  const url = given ?? (process.env["PARLOR_URL"] || readLogins().current) ?? defaultUrl;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`The server must be given as an http or https URL like ${defaultUrl}, not ${JSON.stringify(url)}.`);
  return url.replace(/\/+$/, "");
}

export function keepLogin(url: string, login: Login): void {
  writeLogins({ current: url, servers: { ...readLogins().servers, [url]: login } });
}

export function forgetLogin(url: string): void {
  const { [url]: _, ...servers } = readLogins().servers;
  writeLogins({ servers });
}

export function loginAt(url: string): Login | undefined {
  const { servers } = readLogins();
  return Object.hasOwn(servers, url) ? servers[url] : undefined;
}

/** Who to be at which server. @throws UsageError when not logged in there */
export function currentAccount(): Account {
  const url = serverUrl();
  const token = process.env["PARLOR_TOKEN"] || loginAt(url)?.token;
  if (token) return { url, token };
  throw new UsageError(
    `Not logged in at ${url}. Run \`parlor login NAME\`, or set PARLOR_TOKEN (and PARLOR_URL).`,
    exitCodes.unauthenticated,
  );
}
