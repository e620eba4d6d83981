import { hkdfSync, type JsonWebKey, randomBytes } from "node:crypto";
import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import { deleteSigningKeys, listSigningKeys, offerSigningKey, type SigningKeyRow } from "../../store/signing-keys.ts";
import { fromJwk, newPrivateJwk, readKeys, type SigningKey } from "./key-material.ts";

/** The row that holds the server's own secret; the others hold keys and are numbered from 1. */
const secretId = "secret";
/** How often the Store is asked for keys that other nodes have made (milliseconds). */
const rereadMs = 5000;
/** A new key signs when it is this old (milliseconds): by then every node has read it, and accepts what it signs. */
const spreadMs = 2 * rereadMs;

/** The public keys as GET /.well-known/jwks.json shows them (RFC 7517). */
export interface Jwks {
  readonly keys: ReadonlyArray<SigningKey["publicJwk"]>;
}

interface DatedKey extends SigningKey {
  /** Of its row; "" for one that was configured. */
  readonly id: string;
  /** Milliseconds since 1970; 0 for one that was configured. */
  readonly createdAt: number;
}

/** A key as an operator sees it. */
export interface KeyState {
  readonly kid: string;
  /** Undefined for one that was configured. */
  readonly createdAt: Date | undefined;
  /** NEXT: it will sign as soon as every node knows it. ACCEPTED: tokens that it has signed are good still. */
  readonly use: "NEXT" | "SIGNING" | "ACCEPTED";
}

/**
 * The keys that sign access tokens, and the server's secret. The keys are in the Store, made by whichever node starts first,
 * unless the configuration gives them; then the Store's are not used. The newest that every node knows signs (the first, when
 * configured), all of them are accepted. The secret is always in the Store, and stays when keys change.
 */
export class SigningKeys {
  readonly #store: Kysely<Schema>;
  readonly #clock: Clock;
  readonly #configured: boolean;
  readonly #secret: Uint8Array;
  /** The newest first. */
  #keys: readonly DatedKey[];
  /** When a key that was not known was last looked for. */
  #soughtAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout | undefined;

  private constructor(
    store: Kysely<Schema>,
    clock: Clock,
    keys: readonly DatedKey[],
    secret: Uint8Array,
    configured: boolean,
    everyMs: number,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#configured = configured;
    this.#keys = keys;
    this.#secret = secret;
    // While the Store is away, the keys are those that it last had.
    if (!configured) this.#timer = setInterval(() => void this.#read().catch(() => undefined), everyMs).unref();
  }

  /**
   * @param configured one or more private keys, as text; undefined for those of the Store
   * @param everyMs how often the Store is read
   * @throws SigningKeyError, DatabaseError
   */
  static async open(store: Kysely<Schema>, clock: Clock, configured: string | undefined, everyMs = rereadMs): Promise<SigningKeys> {
    const given = configured === undefined ? undefined : await readKeys(configured);
    let rows = await listSigningKeys(store);
    if (!rows.some((row) => row.id === secretId) || (!given && numbers(rows).length === 0)) {
      await offer(store, clock, secretId, { kty: "oct", k: randomBytes(32).toString("base64url") });
      if (!given) await offer(store, clock, "1", newPrivateJwk());
      rows = await listSigningKeys(store);
    }
    const keys = given?.map((key) => ({ ...key, id: "", createdAt: 0 })) ?? (await keysOf(rows));
    return new SigningKeys(store, clock, keys, secretOf(rows), given !== undefined, everyMs);
  }

  /** Reads the Store no more. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** The key that signs. */
  get current(): SigningKey {
    return this.#keys[this.#signing] as SigningKey;
  }

  get jwks(): Jwks {
    return { keys: this.#keys.map((key) => key.publicJwk) };
  }

  /** Whether tokens of a key are accepted, as far as this node knows. */
  has(kid: string): boolean {
    return this.#keys.some((key) => key.kid === kid);
  }

  /** The key of that id. A key that another node has made just now is found in the Store, which is asked every 5 s at most. */
  async find(kid: string): Promise<SigningKey | undefined> {
    if (!this.has(kid) && !this.#configured) {
      const isTime = this.#clock.now() - this.#soughtAt >= rereadMs;
      if (isTime) this.#soughtAt = this.#clock.now();
      await (isTime ? this.#read() : this.#reading);
    }
    return this.#keys.find((key) => key.kid === kid);
  }

  /** The keys as the Store has them, the newest first. */
  async list(): Promise<KeyState[]> {
    if (!this.#configured) await this.#read();
    const signing = this.#signing;
    return this.#keys.map(({ kid, createdAt }, i) => ({
      kid,
      createdAt: this.#configured ? undefined : new Date(createdAt),
      use: i < signing ? "NEXT" : i === signing ? "SIGNING" : "ACCEPTED",
    }));
  }

  /**
   * Makes a new key, which every node knows 5 s later and signs with after 10 s. The one that has signed until then stays
   * accepted, so that nobody has to sign in again; those before it do not: after two rotations a stolen key is worthless.
   * @throws ParlorError FAILED_PRECONDITION when the keys are configured
   */
  async rotate(): Promise<void> {
    if (this.#configured) throw keysAreConfigured();
    await this.#read();
    const before = this.#keys.slice(this.#signing + 1).map(({ id }) => id);
    await offer(this.#store, this.#clock, String(Number(this.#keys[0]?.id) + 1), newPrivateJwk());
    await deleteSigningKeys(this.#store, before);
    await this.#read();
  }

  /** 32 bytes for one purpose, which tell nothing of those for another (HKDF, RFC 5869). The same on every node. */
  secretFor(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#secret, "", `parlor ${purpose}`, 32));
  }

  /** Which of the keys signs; the very first one does so at once. */
  get #signing(): number {
    const known = this.#clock.now() - spreadMs;
    const newest = this.#keys.findIndex(({ createdAt }) => createdAt <= known);
    return newest < 0 ? this.#keys.length - 1 : newest;
  }

  #read(): Promise<void> {
    this.#reading = listSigningKeys(this.#store)
      .then(keysOf)
      .then((keys) => {
        this.#keys = keys;
      });
    return this.#reading;
  }
}

function keysAreConfigured(): ParlorError {
  const message =
    "The signing keys come from PARLOR_SIGNING_KEY_FILE: put a new one before the others in that file, and restart the nodes.";
  return new ParlorError(Code.FAILED_PRECONDITION, Reason.SIGNING_KEY_CONFIGURED, message);
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

function keysOf(rows: readonly SigningKeyRow[]): Promise<DatedKey[]> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const dated = async ({ id, jwk, created_at }: SigningKeyRow) => ({
    ...(await fromJwk(jwk as JsonWebKey)),
    id,
    createdAt: created_at.getTime(),
  });
  return Promise.all(numbers(rows).map((number) => dated(byId.get(String(number)) as SigningKeyRow)));
}

function secretOf(rows: readonly SigningKeyRow[]): Uint8Array {
  const row = rows.find(({ id }) => id === secretId) as SigningKeyRow;
  return Buffer.from((row.jwk as { k: string }).k, "base64url");
}
