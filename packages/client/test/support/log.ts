import assert from "node:assert/strict";
import { create, toJsonString } from "@bufbuild/protobuf";
import { type Event, ListEventsResponseSchema } from "@parlor/contract";
import { ROOM } from "./events.ts";
import type { HttpAnswer, HttpRequest } from "./wire-server.ts";

/** A room's log as ListEvents answers it, a few events a page. */
export function logOf(events: readonly Event[], pageSize = 500): (request: HttpRequest) => HttpAnswer {
  return ({ line }) => {
    const { pathname, searchParams } = new URL(line.slice("GET ".length), "http://log");
    assert.equal(pathname, `/api/v1/rooms/${ROOM}/events`);
    const after = Number(searchParams.get("after_seq") ?? 0);
    const page = events.filter(({ seq }) => seq > after).slice(0, pageSize);
    return { body: toJsonString(ListEventsResponseSchema, create(ListEventsResponseSchema, { events: page })) };
  };
}
