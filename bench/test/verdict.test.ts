import assert from "node:assert/strict";
import { test } from "node:test";
import type { CaseRecord, Round } from "../report/record.ts";
import { judge } from "../report/verdict.ts";
import { ratioOf, type Target } from "../scenarios/scenario.ts";

const target: Target = {
  text: "half the cost",
  case: "load",
  subject: "parlor",
  peer: "peer",
  figure: ratioOf("cost"),
  atMost: 0.5,
};

function rounds(costs: readonly number[]): Round[] {
  return costs.map((cost) => ({ state: "valid", metrics: { cost } }));
}

function load(mine: readonly Round[], theirs: readonly Round[]): CaseRecord[] {
  const subject = (name: string, measured: readonly Round[]) => ({ name, does: "", version: "", rounds: measured });
  return [{ name: "load", columns: ["cost"], subjects: [subject("parlor", mine), subject("peer", theirs)] }];
}

test("compares round by round", () => {
  assert.deepEqual(judge(target, load(rounds([1, 4]), rounds([2, 10]))), {
    text: "half the cost",
    median: 0.45,
    min: 0.4,
    max: 0.5,
    verdict: "met",
  });
  assert.equal(judge(target, load(rounds([6, 6]), rounds([10, 10]))).verdict, "missed");
});

test("claims nothing where the rounds do not agree who is ahead", () => {
  assert.equal(judge(target, load(rounds([1, 12, 1]), rounds([10, 10, 10]))).verdict, "no claim");
});

test("leaves out rounds that do not count on either side", () => {
  const busy: Round = { state: "generator too busy", metrics: { cost: 100 } };
  const failed: Round = { state: "failed", metrics: {}, error: "the server did not start" };
  assert.equal(judge(target, load([...rounds([4]), busy], rounds([10, 10]))).median, 0.4);
  assert.equal(judge(target, load(rounds([4]), [failed])).verdict, "not measured");
});
