import { s1 } from "./s1-bursts.ts";
import { s2 } from "./s2-singles.ts";
import { s3 } from "./s3-fixed-rate.ts";
import { s4 } from "./s4-ingest.ts";
import { s7 } from "./s7-idle.ts";
import { s9 } from "./s9-grpc.ts";
import { s10 } from "./s10-nodes.ts";
import { s11 } from "./s11-start.ts";
import { s12 } from "./s12-mqtt-bursts.ts";
import { s13 } from "./s13-mqtt-singles.ts";
import { s14 } from "./s14-mqtt-idle.ts";
import type { Scenario } from "./scenario.ts";

/** All scenarios, in the order of their numbers. */
export const scenarios: readonly Scenario[] = [s1, s2, s3, s4, s7, s9, s10, s11, s12, s13, s14];
