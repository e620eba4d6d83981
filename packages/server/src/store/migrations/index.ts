import type { Kysely } from "kysely";
import * as core from "./0001_core.ts";
import * as retention from "./0002_retention.ts";
import * as mqttSessions from "./0003_mqtt_sessions.ts";
import * as partitions from "./0004_partitions.ts";

export interface Migration {
  /** As the file's, and never changed: the database keeps it. */
  readonly name: string;
  up(db: Kysely<unknown>): Promise<void>;
  down(db: Kysely<unknown>): Promise<void>;
}

/** In the order in which they are applied. */
export const migrations: readonly Migration[] = [
  { name: "0001_core", ...core },
  { name: "0002_retention", ...retention },
  { name: "0003_mqtt_sessions", ...mqttSessions },
  { name: "0004_partitions", ...partitions },
];
