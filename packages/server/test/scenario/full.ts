// The scenario in every form of a server, as real processes: `npm run test:scenario`, or `npm run test:scenario -- nodes` for one.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Engine, engines } from "../support/databases.ts";
import { driverNames, driversOf } from "../support/drivers/index.ts";
import { running } from "../support/running.ts";
import { firstDifference } from "../support/transcript.ts";
import { forms, type Stage } from "./forms.ts";
import { scenario } from "./scenario.ts";

const named = process.argv.slice(2);
for (const name of named) assert.ok(name in forms, `there is no form ${name}: ${Object.keys(forms).join(", ")}`);

const suffix = (): string => `x${randomBytes(4).toString("hex")}`;
/** What one process with nothing around it notes: every form must note the same. */
let expected: readonly string[] = [];

before(async () => {
  await using whole = await running(engines[0] as Engine);
  const [driver] = driversOf(whole);
  assert.ok(driver);
  expected = await scenario(driver, suffix());
});

for (const [key, form] of Object.entries(forms)) {
  if (named.length > 0 && !named.includes(key)) continue;
  describe(`The scenario on ${form.title}`, { skip: form.missing ?? false }, () => {
    let stage: Stage;
    before(async () => {
      stage = await form.start();
    });
    after(() => stage[Symbol.asyncDispose]());

    for (const [way, name] of driverNames.entries()) {
      test(name, { timeout: 60_000 }, async () => {
        const noted = await scenario(stage.driver(way), suffix());
        assert.deepEqual(firstDifference(noted, expected), undefined);
        assert.deepEqual(stage.faults, []);
      });
    }
  });
}
