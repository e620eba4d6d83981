// A health check by the container's own program: slim images have no curl.
import { get as getPlain, type IncomingMessage } from "node:http";
import { get as getTls } from "node:https";
import { exitCodes, UsageError } from "./failure.ts";

/** Longer than a server under load takes, shorter than the time that supervisors give a check (milliseconds). */
const timeoutMs = 4000;

/** The server of this machine, as the settings of `parlor serve` put it. */
function localUrl({ PORT, PARLOR_TLS_CERT_FILE }: NodeJS.ProcessEnv): string {
  return `${PARLOR_TLS_CERT_FILE ? "https" : "http"}://127.0.0.1:${PORT || 8080}`;
}

function addressOf(base: string, path: string): URL {
  if (!URL.canParse(path, base) || !/^https?:\/\//.test(base)) throw new UsageError(`${base} is not the address of a server.`);
  return new URL(path, base);
}

/** The status of an answer. The certificate names the public address, not this one, and nothing secret is said. */
function statusOf(url: URL): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const answered = (response: IncomingMessage): void => {
    response.resume();
    resolve(response.statusCode ?? 0);
  };
  const options = { timeout: timeoutMs, agent: false };
  const request =
    url.protocol === "https:" ? getTls(url, { ...options, rejectUnauthorized: false }, answered) : getPlain(url, options, answered);
  request.on("error", reject).on("timeout", () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
  return promise;
}

/** Prints that the server is well. @throws UsageError (exit code 3) when it is not */
export async function checkHealth({ url, ready }: { readonly url?: string; readonly ready?: boolean }): Promise<void> {
  const address = addressOf(url ?? localUrl(process.env), ready ? "/readyz" : "/healthz");
  const status = await statusOf(address).catch((error: unknown) => {
    throw new UsageError(`${address} does not answer: ${error instanceof Error ? error.message : error}.`, exitCodes.unreachable);
  });
  if (status !== 200) throw new UsageError(`${address} answers ${status}.`, exitCodes.unreachable);
  console.log(ready ? "ready" : "healthy");
}
