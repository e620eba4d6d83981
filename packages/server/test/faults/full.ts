// For `npm run test:faults`.
import { faultSuite } from "./suite.ts";

faultSuite({
  redisAwayMs: 10_000,
  redisFaults: ["killed", "paused", "emptied", "cut off"],
  postgresAwayMs: 3000,
  rollingRestart: true,
  kills: 6,
});
