import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { scenario } from "../scenario/scenario.ts";
import { type Engine, engines } from "../support/databases.ts";
import { driverNames, driversOf, driversWithMqtt } from "../support/drivers/index.ts";
import { type Running, running } from "../support/running.ts";
import { servicesApart, whyNotApart } from "../support/services-apart.ts";
import { firstDifference } from "../support/transcript.ts";

describe("Services apart give the same results as one process", { skip: whyNotApart ?? false }, () => {
  let apart: Running;
  let expected: readonly string[];
  before(async () => {
    apart = await servicesApart();
    await using whole = await running(engines[0] as Engine);
    const [driver] = driversOf(whole);
    assert.ok(driver);
    expected = await scenario(driver, `x${randomBytes(4).toString("hex")}`);
  });
  after(() => apart[Symbol.asyncDispose]());

  for (const [way, name] of driverNames.entries()) {
    test(name, { timeout: 60_000 }, async () => {
      const driver = driversWithMqtt(apart)[way];
      assert.ok(driver);
      const noted = await scenario(driver, `x${randomBytes(4).toString("hex")}`);
      assert.deepEqual(firstDifference(noted, expected), undefined);
      assert.deepEqual(apart.faults, []);
    });
  }
});
