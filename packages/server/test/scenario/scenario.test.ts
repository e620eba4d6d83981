import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { driverNames, driversWithMqtt } from "../support/drivers/index.ts";
import { onEveryEngine, type Running, running } from "../support/running.ts";
import { firstDifference } from "../support/transcript.ts";
import { scenario } from "./scenario.ts";

/** What the first run of all noted: every other run, on whatever protocol and database, must note the same. */
let expected: readonly string[] | undefined;

onEveryEngine("One scenario gives equal results", (engine) => {
  let server: Running;
  before(async () => {
    server = await running(engine);
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [way, name] of driverNames.entries()) {
    test(name, { timeout: 60_000 }, async () => {
      const driver = driversWithMqtt(server)[way];
      assert.ok(driver);
      const noted = await scenario(driver, `x${randomBytes(4).toString("hex")}`);
      assert.ok(noted.length > 150, `only ${noted.length} lines were noted`);
      expected ??= noted;
      assert.deepEqual(firstDifference(noted, expected), undefined);
      assert.deepEqual(server.faults, []);
    });
  }
});
