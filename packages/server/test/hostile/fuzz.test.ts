import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOfRun } from "../support/random.ts";
import { fuzz } from "./fuzz.ts";

const seed = seedOfRun();

test(`four thousand random inputs get typed answers, seed ${seed}`, { timeout: 60_000 }, async () => {
  const { answers } = await fuzz(4000, seed);
  // Both the accepted and the refused must be among them, or the inputs are not worth much.
  for (const answer of ["OK", "INVALID_FIELDS", "MALFORMED", "NOT_EXISTING"]) assert.ok((answers.get(answer) ?? 0) > 20, answer);
});
