import { hkdfSync, type JsonWebKey, randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import { deleteSigningKeys, listSigningKeys, offerSigningKey, type SigningKeyRow } from "../../store/signing-keys.ts";
import { fromJwk, newPrivateJwk, readKeys, type SigningKey } from "./key-material.ts";

/** The row that holds the server's own secret; the others hold keys and are numbered from 1. */
const secretId = "secret";
const rereadMs = 5000;

/** The public keys as GET /.well-known/jwks.json shows them (RFC 7517). */
export interface Jwks {
  readonly keys: ReadonlyArray<SigningKey["publicJwk"]>;
}

/**
 * The keys that sign access tokens, and the server's secret. The keys are in the Store, made by whichever node starts first,
 * unless the configuration gives them; then the Store's are not used. The newest (the first, when configured) signs, all of
 * them are accepted. The secret is always in the Store, and stays when keys change.
 */
export class SigningKeys {
  readonly #store: Kysely<Schema>;
  readonly #clock: Clock;
  readonly #configured: boolean;
  readonly #secret: Uint8Array;
  /** The one that signs first. */
  #keys: readonly SigningKey[];
  #readAt: number;

  private constructor(store: Kysely<Schema>, clock: Clock, keys: readonly SigningKey[], secret: Uint8Array, configured: boolean) {
    this.#store = store;
    this.#clock = clock;
    this.#configured = configured;
    this.#keys = keys;
    this.#secret = secret;
    this.#readAt = clock.now();
  }

  /**
   * @param configured one or more private keys, as text; undefined for those of the Store
   * @throws SigningKeyError, DatabaseError
   */
  static async open(store: Kysely<Schema>, clock: Clock, configured: string | undefined): Promise<SigningKeys> {
    const given = configured === undefined ? undefined : await readKeys(configured);
    let rows = await listSigningKeys(store);
    if (!rows.some((row) => row.id === secretId) || (!given && numbers(rows).length === 0)) {
      await offer(store, clock, secretId, { kty: "oct", k: randomBytes(32).toString("base64url") });
      if (!given) await offer(store, clock, "1", newPrivateJwk());
      rows = await listSigningKeys(store);
    }
    return new SigningKeys(store, clock, given ?? (await keysOf(rows)), secretOf(rows), given !== undefined);
  }

  /** The key that signs. */
  get current(): SigningKey {
    return this.#keys[0] as SigningKey;
  }

  get jwks(): Jwks {
    return { keys: this.#keys.map((key) => key.publicJwk) };
  }

  /** Whether tokens of a key are accepted, as far as this node knows. */
  has(kid: string): boolean {
    return this.#keys.some((key) => key.kid === kid);
  }

  /** The key of that id. A key that another node has made since is found in the Store, which is asked every 5 s at most. */
  async find(kid: string): Promise<SigningKey | undefined> {
    if (!this.has(kid) && !this.#configured && this.#clock.now() - this.#readAt >= rereadMs) {
      this.#readAt = this.#clock.now();
      this.#keys = await keysOf(await listSigningKeys(this.#store));
    }
    return this.#keys.find((key) => key.kid === kid);
  }

  /**
   * Makes a new key, which signs from now on. The one before stays accepted, so that nobody has to sign in again; those
   * before it do not: after two rotations a stolen key is worthless. Other nodes follow when they first see the new key.
   */
  async rotate(): Promise<void> {
    const known = numbers(await listSigningKeys(this.#store));
    await offer(this.#store, this.#clock, String((known[0] ?? 0) + 1), newPrivateJwk());
    await deleteSigningKeys(this.#store, known.slice(1).map(String));
    this.#keys = await keysOf(await listSigningKeys(this.#store));
  }

  /** 32 bytes for one purpose, which tell nothing of those for another (HKDF, RFC 5869). The same on every node. */
  secretFor(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#secret, "", `parlor ${purpose}`, 32));
  }
}

function offer(store: Kysely<Schema>, clock: Clock, id: string, jwk: unknown): Promise<void> {
  return offerSigningKey(store, { id, jwk, created_at: new Date(clock.now()) });
}

/** The numbers of the keys among the rows, newest first. */
function numbers(rows: readonly SigningKeyRow[]): number[] {
  return rows
    .filter((row) => row.id !== secretId)
    .map((row) => Number(row.id))
    .sort((a, b) => b - a);
}

function keysOf(rows: readonly SigningKeyRow[]): Promise<SigningKey[]> {
  const jwks = new Map(rows.map((row) => [row.id, row.jwk]));
  return Promise.all(numbers(rows).map((number) => fromJwk(jwks.get(String(number)) as JsonWebKey)));
}

function secretOf(rows: readonly SigningKeyRow[]): Uint8Array {
  const row = rows.find(({ id }) => id === secretId) as SigningKeyRow;
  return Buffer.from((row.jwk as { k: string }).k, "base64url");
}
