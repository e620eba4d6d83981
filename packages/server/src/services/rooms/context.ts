import type { Kysely } from "kysely";
import type { PageTokens } from "../../domain/page-tokens.ts";
import type { Feeds } from "../../log/feeds.ts";
import type { LogWriter } from "../../log/writer.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";

/** What the methods about rooms work with. */
export interface RoomsContext {
  readonly store: Kysely<Schema>;
  readonly feeds: Feeds;
  readonly writer: LogWriter;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
}
