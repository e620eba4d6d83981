import { hostname } from "node:os";
import { Command } from "commander";
import { forgetLogin, keepLogin, loginAt, serverUrl } from "../logins.ts";
import { readPassword } from "../terminal.ts";

interface LoginOptions {
  readonly url?: string;
  readonly signUp?: boolean;
  readonly passwordStdin?: boolean;
}

const lifetimeMs = 90 * 86_400_000;

/** A session of a moment, which makes the API token that is kept. */
async function login(username: string, { url: givenUrl, signUp, passwordStdin }: LoginOptions): Promise<void> {
  const url = serverUrl(givenUrl);
  const password = await readPassword({ fromInput: passwordStdin, repeat: signUp });
  const { ApiToken_Scope: Scope, ParlorClient } = await import("@parlor/client");
  using client = new ParlorClient({ url });
  const deviceName = `parlor login on ${hostname()}`.slice(0, 100);
  const user = await (signUp ? client.signUp({ username, password, deviceName }) : client.logIn({ username, password, deviceName }));
  try {
    const expiresAt = { seconds: BigInt(Math.floor((Date.now() + lifetimeMs) / 1000)), nanos: 0 };
    const { token } = await client.auth.createApiToken({ name: deviceName, scopes: [Scope.READ, Scope.WRITE, Scope.ROOMS], expiresAt });
    keepLogin(url, { username: user.username, token });
  } finally {
    await client.logOut();
  }
  process.stdout.write(`Logged in at ${url} as ${user.username}.\n`);
}

async function logout({ url: givenUrl }: { readonly url?: string }): Promise<void> {
  const url = serverUrl(givenUrl);
  const kept = loginAt(url);
  if (!kept) return void process.stdout.write(`Not logged in at ${url}.\n`);
  const { Code, ParlorClient, ParlorError } = await import("@parlor/client");
  using client = new ParlorClient({ url, token: kept.token });
  try {
    await client.auth.logOut();
  } catch (error) {
    // A token that is not good any more is what was wanted.
    if (!(error instanceof ParlorError) || error.code !== Code.UNAUTHENTICATED) throw error;
  }
  forgetLogin(url);
  process.stdout.write(`Logged out at ${url}.\n`);
}

const help = `
What is kept is an API token that is good for 90 days for reading, writing and rooms, in ~/.config/parlor/logins.json, which
only you can read. The password is not kept. Later commands use the server and name of the last login.

Examples:
  parlor login alice
  parlor login alice --url https://chat.example.org
  parlor login bob --sign-up
  parlor login bot --password-stdin < password.txt`;

export function loginCommand(): Command {
  return new Command("login")
    .description("Log in, so that later commands know who you are.")
    .argument("<name>", "your user name")
    .option("--url <url>", "The server; otherwise PARLOR_URL, that of the last login, or http://localhost:8080.")
    .option("--sign-up", "Make the account first.")
    .option("--password-stdin", "Read the password from standard input.")
    .addHelpText("after", help)
    .action(login);
}

export function logoutCommand(): Command {
  return new Command("logout")
    .description("Log out: the kept token ends at once, also for a `parlor tail` that runs.")
    .option("--url <url>", "The server; otherwise PARLOR_URL, that of the last login, or http://localhost:8080.")
    .addHelpText("after", "\nExample:\n  parlor logout")
    .action(logout);
}
