// On large tables, every statement that is run often finds its rows by an index.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { newId } from "../../src/domain/ids.ts";
import type { Connection, SqlValue } from "../../src/ports/database.ts";
import { eventsAfter } from "../../src/store/events.ts";
import { storeOn } from "../../src/store/kysely.ts";
import { appendToLogs, findByIds, findByKeys, findMembers, lockRooms } from "../../src/store/log-statements.ts";
import { findMember, findMyRoom, listMembers, listRoomsOf, moveReadMarker, placesOf, sharingRoomWith } from "../../src/store/members.ts";
import { findMessage, messagesAfter, messagesBefore, reactionsOf } from "../../src/store/messages.ts";
import { findRoom, listPublicRooms, roomHeads } from "../../src/store/rooms.ts";
import { findStandings } from "../../src/store/sessions.ts";
import { findUsers } from "../../src/store/users.ts";
import { engines, freshPostgres, type TestPostgres } from "../support/databases.ts";

const postgres = engines.find(({ name }) => name === "postgres");
const large = ["messages", "room_events", "message_reactions", "room_members", "rooms", "sessions", "users"];

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly Plans?: readonly Plan[];
}

describe("plans on PostgreSQL", { skip: postgres === undefined ? "not chosen" : (postgres.missing ?? false) }, () => {
  let fresh: TestPostgres;
  let connection: Connection;
  let roomId: string;
  let userId: string;
  let messageId: string;
  let sessionId: string;

  before(async () => {
    fresh = await freshPostgres();
    const { database } = fresh;
    for (const statement of fill) await database.query(statement);
    await database.query("analyze");
    const one = async (sql: string) => (await database.query<{ id: string }>(sql)).rows[0]?.id ?? "";
    roomId = await one("select room_id as id from messages order by seq desc limit 1");
    userId = await one(`select user_id as id from room_members where room_id = '${roomId}' limit 1`);
    messageId = await one(`select id from messages where room_id = '${roomId}' limit 1`);
    sessionId = await one("select id from sessions limit 1");
    connection = await database.connect();
    await connection.query("begin");
  });
  after(async () => {
    await connection.release();
    await fresh.close();
  });

  /** What a function of the store runs, explained instead of carried out. */
  const explained = async (run: (session: Explaining) => Promise<unknown>): Promise<Plan[]> => {
    const session = new Explaining(connection);
    await run(session).catch(() => undefined);
    assert.ok(session.plans.length > 0, "it has run nothing");
    return session.plans;
  };

  const now = new Date();
  const cases: Readonly<Record<string, (session: Explaining) => Promise<unknown>>> = {
    "locking rooms": (session) => lockRooms(session, [roomId]),
    "repeats by key": (session) => findByKeys(session, [{ roomId, authorId: userId, clientMessageId: "key 1" }]),
    "messages by id": (session) => findByIds(session, [{ roomId, id: messageId }]),
    "members by pair": (session) => findMembers(session, [roomId], [userId]),
    "adding to the logs": (session) => appendToLogs(session, [], [], [{ id: roomId, previous_seq: 1, last_seq: 2, policy_seq: 1 }]),
    "history before": (session) => messagesBefore(storeOn(session), roomId, 60, 50),
    "history after": (session) => messagesAfter(storeOn(session), roomId, 10, 50),
    "one message": (session) => findMessage(storeOn(session), roomId, messageId),
    "reactions of a page": (session) => reactionsOf(storeOn(session), roomId, [1, 2, 3]),
    "a page of events": (session) => eventsAfter(storeOn(session), roomId, 10, 500),
    "a page of members": (session) => listMembers(storeOn(session), roomId, undefined, 50),
    "one member": (session) => findMember(storeOn(session), roomId, userId),
    "my room": (session) => findMyRoom(storeOn(session), userId, roomId),
    "my rooms": (session) => listRoomsOf(storeOn(session), userId, undefined, 50),
    "places of a welcome": (session) => placesOf(storeOn(session), userId),
    "people who share a room": (session) => sharingRoomWith(storeOn(session), userId, [newId()]),
    "read markers": (session) => moveReadMarker(storeOn(session), roomId, userId, 5),
    "one room": (session) => findRoom(storeOn(session), roomId),
    "heads of rooms": (session) => roomHeads(storeOn(session), [roomId]),
    "the directory": (session) => listPublicRooms(storeOn(session), { words: undefined, after: undefined, limit: 50 }),
    "standing of sessions": (session) => findStandings(storeOn(session), [sessionId]),
    "people by id": (session) => findUsers(storeOn(session), [userId]),
    "who has joined of late": (session) => session.query("select user_id from room_members where joined_at > $1", [now]),
  };
  for (const [name, run] of Object.entries(cases)) {
    it(`${name}: by an index`, async () => {
      for (const plan of await explained(run)) {
        const scans = scansOf(plan).filter(({ "Relation Name": table = "" }) => large.includes(table));
        assert.deepEqual(scans, [], `scans a table from beginning to end: ${JSON.stringify(plan)}`);
      }
    });
  }
});

/** Explains each statement with its parameters, and answers no rows. */
class Explaining {
  readonly plans: Plan[] = [];
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async query<Row>(sql: string, params: readonly SqlValue[] = []): Promise<{ rows: Row[]; affected: number }> {
    const { rows } = await this.#connection.query<{ "QUERY PLAN": { Plan: Plan }[] }>(`explain (format json) ${sql}`, params);
    for (const row of rows) for (const { Plan } of row["QUERY PLAN"]) this.plans.push(Plan);
    return { rows: [], affected: 0 };
  }
}

function scansOf(plan: Plan): Plan[] {
  const below = (plan.Plans ?? []).flatMap(scansOf);
  return plan["Node Type"] === "Seq Scan" ? [plan, ...below] : below;
}

const fill = [
  `insert into users (id, username, display_name, role, password_hash, created_at)
    select gen_random_uuid(), 'user' || n, 'User ' || n, 2, '', now() from generate_series(1, 3000) n`,
  `insert into sessions (id, user_id, kind, secret_hash, created_at, refreshed_at, expires_at)
    select gen_random_uuid(), id, 'session', '', now(), now(), now() + interval '1 day' from users`,
  `insert into rooms (id, visibility, name, created_by, created_at, last_seq, policy_seq, member_count, post_role)
    select gen_random_uuid(), 1 + n % 2, 'Room ' || n, gen_random_uuid(), now(), 100, 1, 10, 2 from generate_series(1, 2000) n`,
  `insert into room_members (room_id, user_id, role, joined_at)
    select r.id, u.id, 2, now() - interval '1 day' * u.n from (select id, row_number() over () as n from rooms) r
    join (select id, row_number() over () as n from users) u on u.n % 300 = r.n % 300`,
  `insert into messages (room_id, seq, id, author_id, text, client_message_id, content_hash, created_at)
    select id, n, gen_random_uuid(), created_by, 'text', 'key ' || n, '', now() from (select * from rooms limit 100) r, generate_series(1, 100) n`,
  "insert into room_events (room_id, seq, event) select room_id, seq, '' from messages",
  "insert into message_reactions (room_id, message_seq, emoji, user_id, seq) select room_id, seq, 'x', author_id, seq from messages",
];
