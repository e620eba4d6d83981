import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey } from "../../src/domain/addresses.ts";
import { RateLimiter } from "../../src/domain/rate-limits.ts";

function manualClock() {
  let now = 1_000_000;
  const advance = (ms: number) => {
    now += ms;
  };
  return { now: () => now, advance };
}

test("a bucket gives its burst at once, then one each interval", () => {
  const clock = manualClock();
  const limiter = new RateLimiter(clock);
  const allowance = { perSecond: 5, burst: 20 };
  for (let i = 0; i < 20; i++) assert.equal(limiter.take("ann", allowance), 0);
  assert.equal(limiter.take("ann", allowance), 200);
  assert.equal(limiter.take("bob", allowance), 0);
  clock.advance(199);
  assert.equal(limiter.take("ann", allowance), 1);
  clock.advance(1);
  assert.equal(limiter.take("ann", allowance), 0);
  assert.equal(limiter.take("ann", allowance), 200);
  clock.advance(4000);
  for (let i = 0; i < 20; i++) assert.equal(limiter.take("ann", allowance), 0);
  assert.equal(limiter.take("ann", allowance), 200);
});

test("what another node gave at the same moment is paid back, at most once the bucket", () => {
  const clock = manualClock();
  const [one, two] = [new RateLimiter(clock), new RateLimiter(clock)];
  const allowance = { perSecond: 5, burst: 20 };
  for (const limiter of [one, two]) for (let i = 0; i < 20; i++) assert.equal(limiter.take("ann", allowance), 0);
  for (const limiter of [one, two]) limiter.debit("ann", allowance, 20);
  assert.equal(one.take("ann", allowance), 4200);
  one.debit("ann", allowance, 1000);
  assert.equal(one.take("ann", allowance), 4200);
  clock.advance(4200);
  assert.equal(two.take("ann", allowance), 0);
  assert.equal(two.take("ann", allowance), 200);
});

test("what is taken is told, what is refused or debited is not", () => {
  const limiter = new RateLimiter(manualClock());
  const told: string[] = [];
  limiter.onTaken((key) => told.push(key));
  const allowance = { perSecond: 1, burst: 1 };
  limiter.take("ann", allowance);
  limiter.take("ann", allowance);
  limiter.debit("bob", allowance, 1);
  limiter.take("bob", allowance);
  assert.deepEqual(told, ["ann"]);
});

test("over a long time no more than the rate is given", () => {
  const clock = manualClock();
  const limiter = new RateLimiter(clock);
  let given = 0;
  for (let ms = 0; ms < 60_000; ms += 7, clock.advance(7)) if (limiter.take("ann", { perSecond: 3, burst: 4 }) === 0) given++;
  assert.ok(given >= 180 && given <= 184, String(given));
});

test("a clock that is set back locks nobody out for longer than an empty bucket", () => {
  const clock = manualClock();
  const limiter = new RateLimiter(clock);
  limiter.take("ann", { perSecond: 1, burst: 2 });
  clock.advance(-1_000_000);
  assert.ok(limiter.take("ann", { perSecond: 1, burst: 2 }) <= 1000);
});

test("the memory of keys is bounded, and full buckets are forgotten", () => {
  const clock = manualClock();
  const limiter = new RateLimiter(clock, 1000);
  for (let i = 0; i < 5000; i++) limiter.take(`key ${i}`, { perSecond: 1, burst: 1 });
  assert.ok(limiter.size <= 1000, String(limiter.size));
  clock.advance(60_000);
  for (let i = 0; i < 2000; i++) {
    limiter.take(`later ${i}`, { perSecond: 1, burst: 1 });
    clock.advance(1000);
  }
  assert.ok(limiter.size < 5, String(limiter.size));
});

test("a key in use is not forgotten while new ones come", () => {
  const limiter = new RateLimiter(manualClock());
  limiter.take("ann", { perSecond: 1, burst: 1 });
  for (let i = 0; i < 10_000; i++) limiter.take(`key ${i}`, { perSecond: 1, burst: 1 });
  assert.equal(limiter.take("ann", { perSecond: 1, burst: 1 }), 1000);
});

test("an IPv6 address counts as its network, and a mapped IPv4 address as itself", () => {
  const keys: Record<string, string> = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
    "2001:DB8:1:2::9": "2001:db8:1:2::/64",
    "2001:db8::1": "2001:db8:0:0::/64",
    "fe80::1%eth0": "fe80:0:0:0::/64",
    "::1": "0:0:0:0::/64",
    "": "",
    "in-process": "in-process",
  };
  for (const [address, key] of Object.entries(keys)) assert.equal(addressKey(address), key);
});
