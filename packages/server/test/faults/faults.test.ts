// The short version, for every run of the tests; `npm run test:faults` is the whole one.
import { faultSuite } from "./suite.ts";

faultSuite({ redisAwayMs: 1500, redisFaults: ["killed"], postgresAwayMs: 500, rollingRestart: false, kills: 0 });
