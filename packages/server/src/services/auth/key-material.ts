import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint } from "jose";

/** One Ed25519 key, ready for use. */
export interface SigningKey {
  /** The thumbprint of the public part (RFC 7638): no two servers share one by chance. */
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** What may be shown to everybody. */
  readonly publicJwk: {
    readonly kty: string;
    readonly crv: string;
    readonly x: string;
    readonly kid: string;
    readonly alg: "EdDSA";
    readonly use: "sig";
  };
}

/** A configured key cannot be used. The message says why, and holds nothing of the key. */
export class SigningKeyError extends Error {
  override readonly name = "SigningKeyError";
}

export function newPrivateJwk(): JsonWebKey {
  return generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
}

export function fromJwk(jwk: JsonWebKey): Promise<SigningKey> {
  return signingKey(() => createPrivateKey({ key: jwk, format: "jwk" }));
}

/**
 * The keys in a text: PEM blocks (PKCS #8), a JWK, or a JWK set. The first one signs.
 * @throws SigningKeyError
 */
export async function readKeys(text: string): Promise<readonly SigningKey[]> {
  const sources = text.trimStart().startsWith("{") ? readJwks(text) : readPems(text);
  if (sources.length === 0) throw new SigningKeyError("The signing key must be an Ed25519 private key in PKCS #8 PEM, or as a JWK.");
  const keys = await Promise.all(sources.map(signingKey));
  for (const key of keys) refuseExample(key);
  return keys;
}

type Source = () => KeyObject;

function readPems(text: string): Source[] {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g) ?? [];
  return blocks.map((key) => () => createPrivateKey({ key, format: "pem" }));
}

function readJwks(text: string): Source[] {
  let parsed: JsonWebKey & { keys?: JsonWebKey[] };
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new SigningKeyError("The signing key begins like JSON, but is not.");
  }
  const jwks = Array.isArray(parsed.keys) ? parsed.keys : [parsed];
  return jwks.map((key) => () => createPrivateKey({ key, format: "jwk" }));
}

async function signingKey(source: Source): Promise<SigningKey> {
  const privateKey = readPrivate(source);
  if (privateKey.asymmetricKeyType !== "ed25519") {
    throw new SigningKeyError(`The signing key must be an Ed25519 private key, not ${privateKey.asymmetricKeyType ?? "a secret"}.`);
  }
  const publicKey = createPublicKey(privateKey);
  const { kty, crv, x } = publicKey.export({ format: "jwk" }) as { kty: string; crv: string; x: string };
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  return { kid, privateKey, publicKey, publicJwk: { kty, crv, x, kid, alg: "EdDSA", use: "sig" } };
}

function readPrivate(source: Source): KeyObject {
  try {
    return source();
  } catch {
    throw new SigningKeyError("The signing key cannot be read: it must be an Ed25519 private key of 32 bytes, in PKCS #8 PEM or as a JWK.");
  }
}

/** Public parts of keys whose private parts are printed in RFC 8032 (7.1), RFC 8037 (A.1) and RFC 8410 (10.3). */
const examples: ReadonlySet<string> = new Set([
  "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
  "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU",
  "J4EX_BRMcjQPZ9DyMW6Dhs7_vyskKMnFH-98WX8dQm4",
  "7Bcrk61eVjv0kyxw4SRQNMNUZ-8u_U1k6_gZaDRn4r8",
  "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE",
]);

function refuseExample({ privateKey, publicJwk }: SigningKey): void {
  const { d } = privateKey.export({ format: "jwk" });
  if (looksRandom(Buffer.from(d as string, "base64url")) && !examples.has(publicJwk.x)) return;
  throw new SigningKeyError("The signing key is an example that everybody knows. Make one with: openssl genpkey -algorithm ed25519");
}

/** Of 32 random bytes some 30 differ, and so do their steps; in typed text and in rows of numbers far fewer do. */
function looksRandom(seed: Uint8Array): boolean {
  const steps = seed.map((byte, i) => byte - (seed[i - 1] ?? 0));
  return new Set(seed).size >= 20 && new Set(steps).size >= 20;
}
