import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { unreachable } from "./failures.ts";
import type { ServiceChannel, ServiceTls } from "./service-channel.ts";

const patienceMs = 2000;
const freshMs = 60_000;

/** The public keys of the auth service, asked again once a minute; while it is away, those it last had. */
export function remoteJwks(auth: ServiceChannel): () => Promise<object> {
  let known: { readonly keys: object; readonly readAt: number } | undefined;
  return async () => {
    const now = performance.now();
    if (known && now - known.readAt < freshMs) return known.keys;
    try {
      known = { keys: await read(new URL("/.well-known/jwks.json", auth.url), auth.tls), readAt: now };
    } catch {
      if (!known) throw unreachable(auth.name);
    }
    return known.keys;
  };
}

function read(url: URL, tls: ServiceTls): Promise<object> {
  const ask = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = ask(url, { ...tls, signal: AbortSignal.timeout(patienceMs) }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`The keys were answered with ${response.statusCode}.`));
      text(response)
        .then((body) => resolve(JSON.parse(body) as object), reject)
        .catch(reject);
    });
    request.once("error", reject).end();
  });
}
