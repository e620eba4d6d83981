import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { Reason } from "@parlor/contract";
import { minute, type Node, newcomer, refusal, startAuth } from "../support/auth.ts";
import { onEveryDatabase } from "../support/databases.ts";

onEveryDatabase("keys", (current) => {
  test("nodes that start at once on an empty store agree on one key", async () => {
    const nodes = await Promise.all(Array.from({ length: 5 }, () => startAuth(current().store)));
    assert.equal(new Set(nodes.map((node) => node.keys.current.kid)).size, 1);
    const { tokens, id } = await newcomer(nodes[0] as Node);
    for (const node of nodes) assert.equal((await node.identities.verify(tokens.accessToken)).userId, id);
  });

  test("the key set shows the public parts, with which anybody can check a token", async () => {
    const node = await startAuth(current().store);
    const [key] = node.keys.jwks.keys;
    assert.deepEqual(Object.keys(key ?? {}).sort(), ["alg", "crv", "kid", "kty", "use", "x"]);
    assert.equal(createPublicKey({ key: { ...key }, format: "jwk" }).asymmetricKeyType, "ed25519");
  });

  test("a new key signs when every node knows it, the one before is still accepted, and older ones are not", async () => {
    const node = await startAuth(current().store);
    const other = await startAuth(current().store, { clock: node.clock });
    const uses = async () => (await node.keys.list()).map(({ use }) => use);
    const first = await newcomer(node);
    const { kid } = node.keys.current;
    await node.keys.rotate();
    assert.deepEqual(await uses(), ["NEXT", "SIGNING"]);
    assert.equal(node.keys.current.kid, kid);
    node.clock.advance(10_000);
    assert.deepEqual(await uses(), ["SIGNING", "ACCEPTED"]);
    const second = await newcomer(node);
    assert.notEqual(node.keys.current.kid, kid);
    for (const { tokens, id } of [first, second]) {
      assert.equal((await node.identities.verify(tokens.accessToken)).userId, id);
      assert.equal((await other.identities.verify(tokens.accessToken)).userId, id);
    }
    assert.equal(other.keys.current.kid, node.keys.current.kid);
    await node.keys.rotate();
    await refusal(node.identities.verify(first.tokens.accessToken), Reason.TOKEN_INVALID);
    assert.equal((await node.identities.verify(second.tokens.accessToken)).userId, second.id);
    assert.ok((await node.auth.refreshTokens({ refreshToken: first.tokens.refreshToken })).tokens);
  });

  test("however often keys are made at once, the one that signs stays", async () => {
    const node = await startAuth(current().store);
    node.clock.advance(minute);
    const { kid } = node.keys.current;
    for (let n = 0; n < 3; n++) await node.keys.rotate();
    assert.equal(node.keys.current.kid, kid);
    assert.deepEqual(
      (await node.keys.list()).map(({ use }) => use),
      ["NEXT", "NEXT", "NEXT", "SIGNING"],
    );
  });

  test("other nodes read a new key by themselves, and know it before it signs", async () => {
    const node = await startAuth(current().store);
    const other = await startAuth(current().store, { clock: node.clock, readKeysEveryMs: 5 });
    await node.keys.rotate();
    while (other.keys.jwks.keys.length < node.keys.jwks.keys.length) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(other.keys.jwks, node.keys.jwks);
    other.identities.close();
  });

  test("keys can be configured as PEM, JWK or set, and the first one signs", async () => {
    const [one, two] = [generateKeyPairSync("ed25519").privateKey, generateKeyPairSync("ed25519").privateKey];
    const pem = (key: typeof one) => key.export({ format: "pem", type: "pkcs8" }).toString();
    const jwk = (key: typeof one) => key.export({ format: "jwk" });
    const before = await startAuth(current().store, { config: { signingKey: pem(one) } });
    const { tokens, id } = await newcomer(before);
    const accepting = [pem(two) + pem(one), JSON.stringify({ keys: [jwk(two), jwk(one)] }), JSON.stringify(jwk(one))];
    for (const signingKey of accepting) {
      const node = await startAuth(current().store, { config: { signingKey }, clock: before.clock });
      assert.equal((await node.identities.verify(tokens.accessToken)).userId, id);
    }
    await refusal(before.keys.rotate(), Reason.SIGNING_KEY_CONFIGURED);
    const without = await startAuth(current().store, { config: { signingKey: pem(two) }, clock: before.clock });
    await refusal(without.identities.verify(tokens.accessToken), Reason.TOKEN_INVALID);
  });

  test("example keys, short keys and keys of another kind are refused", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const jwkOf = (seed: Uint8Array | string, x = "AAAA") =>
      JSON.stringify({ kty: "OKP", crv: "Ed25519", d: Buffer.from(seed).toString("base64url"), x });
    const hostile = [
      "",
      "secret",
      "changeme-changeme-changeme-changeme",
      "{",
      "{}",
      '{"kty":"oct","k":"c2VjcmV0"}',
      jwkOf("short"),
      rsa.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" }).toString(),
      "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n",
      '{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
      pemOf(Buffer.alloc(32)),
      pemOf(Buffer.from(Array.from({ length: 32 }, (_, i) => i))),
      pemOf(Buffer.from("0123456789abcdef0123456789abcdef")),
    ];
    for (const signingKey of hostile)
      await assert.rejects(startAuth(current().store, { config: { signingKey } }), { name: "SigningKeyError" }, signingKey);
  });
});

function pemOf(seed: Buffer): string {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
}
