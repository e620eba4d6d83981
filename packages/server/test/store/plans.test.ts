// On large tables, every statement that is run often finds its rows by an index, and those of one room in one partition of each
// table: with the plan that a prepared statement keeps, for whatever values.
import assert from "node:assert/strict";
import { before, it } from "node:test";
import { newId } from "../../src/domain/ids.ts";
import { encodeParameter } from "../../src/engines/pg-values.ts";
import type { Connection, SqlValue } from "../../src/ports/database.ts";
import { appendToLogs } from "../../src/store/append.ts";
import { eventsAfter, eventsOfMessage, replaceEvent } from "../../src/store/events.ts";
import { storeOn } from "../../src/store/kysely.ts";
import { findByIds, findByKeys, findMembers, findNewestOf, lockRooms, storedEvents } from "../../src/store/log-statements.ts";
import { findMember, findMyRoom, listMembers, listRoomsOf, moveReadMarker, placesOf, sharingRoomWith } from "../../src/store/members.ts";
import {
  deleteReaction,
  emptyMessage,
  findMessage,
  insertReaction,
  messagesAfter,
  messagesBefore,
  reactionsOf,
  setText,
} from "../../src/store/messages.ts";
import { findRoom, listPublicRooms, purgeSome, roomHeads } from "../../src/store/rooms.ts";
import { findStandings } from "../../src/store/sessions.ts";
import { findUsers } from "../../src/store/users.ts";
import { onEveryDatabase } from "../support/databases.ts";

const large = ["messages", "room_events", "message_reactions", "room_members", "rooms", "sessions", "users"];

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  /** How often it was carried out; 0: it was left out when the plan met its values. */
  readonly "Actual Loops": number;
  readonly Plans?: readonly Plan[];
}

type Run = (session: Explaining) => Promise<unknown>;

onEveryDatabase("plans", (current) => {
  let roomId: string;
  let userId: string;
  let messageId: string;
  let sessionId: string;

  before(async () => {
    const { database } = current();
    for (const statement of fill) await database.query(statement);
    const one = async (sql: string) => (await database.query<{ id: string }>(sql)).rows[0]?.id ?? "";
    // Of the fullest partition: where a table is a few pages long, reading it from beginning to end is the right plan.
    roomId = await one(`select room_id as id from messages
      join (select tableoid as part from messages group by part order by count(*) desc, part limit 1) fullest on tableoid = part
      order by room_id limit 1`);
    userId = await one(`select user_id as id from room_members where room_id = '${roomId}' limit 1`);
    messageId = await one(`select id from messages where room_id = '${roomId}' limit 1`);
    sessionId = await one("select id from sessions limit 1");
  });

  /** What a function of the store runs, explained, and taken back. */
  const explained = async (run: Run): Promise<Plan[]> => {
    const connection = await current().database.connect();
    await connection.query("begin");
    const session = new Explaining(connection);
    await run(session).catch(() => undefined);
    await connection.release();
    assert.ok(session.plans.length > 0, "it has run nothing");
    return session.plans;
  };

  const now = new Date();
  const reaction = () => ({ room_id: roomId, message_seq: 7, emoji: "x", user_id: userId });
  const ofOneRoom: Readonly<Record<string, Run>> = {
    "repeats by key": (session) => findByKeys(session, [{ roomId, authorId: userId, clientMessageId: "key 1" }]),
    "repeats by a range of keys": (session) =>
      findNewestOf(session, [{ roomId, authorId: userId, low: "key 1", high: "key 2", repeatsOnly: true }]),
    "messages by id": (session) => findByIds(session, [{ roomId, id: messageId }]),
    "adding to the logs": (session) => appendToLogs(session, [newEvent(roomId)], [newMessage(roomId)], [headAfter(roomId)]),
    "adding several to the logs": (session) => {
      const [event, message] = [newEvent(roomId), newMessage(roomId)];
      const next = event.seq + 1;
      return appendToLogs(session, [event, { ...event, seq: next }], [message, { ...newMessage(roomId), seq: next }], [headAfter(roomId)]);
    },
    "stored events": (session) => storedEvents(session, [newEvent(roomId)]),
    "history before": (session) => messagesBefore(storeOn(session), roomId, 60, 50),
    "history after": (session) => messagesAfter(storeOn(session), roomId, 10, 50),
    "one message": (session) => findMessage(storeOn(session), roomId, messageId),
    "an edit": (session) => setText(storeOn(session), roomId, 5, "text", now),
    "a deletion": (session) => emptyMessage(storeOn(session), roomId, 5, now),
    "reactions of a page": (session) => reactionsOf(storeOn(session), roomId, [1, 2, 3]),
    "a reaction": (session) => insertReaction(storeOn(session), { ...reaction(), seq: 101 }),
    "a reaction less": (session) => deleteReaction(storeOn(session), reaction()),
    "a page of events": (session) => eventsAfter(storeOn(session), roomId, 10, 500),
    "the events of a message": (session) => eventsOfMessage(storeOn(session), roomId, 5),
    "another event": (session) => replaceEvent(storeOn(session), roomId, 5, new Uint8Array(1)),
  };
  const cases: Readonly<Record<string, Run>> = {
    ...ofOneRoom,
    "locking rooms": (session) => lockRooms(session, [roomId]),
    "members by pair": (session) => findMembers(session, [roomId], [userId]),
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
    const place = name in ofOneRoom ? "by an index, in one partition" : "by an index";
    it(`${name}: ${place}`, async () => {
      for (const plan of await explained(run)) {
        const nodes = nodesOf(plan);
        const scans = nodes.filter((node) => node["Node Type"] === "Seq Scan" && large.includes(tableOf(node)));
        assert.deepEqual(scans, [], `scans a table from beginning to end: ${JSON.stringify(plan)}`);
        const opened = new Set(nodes.filter(isOpened).map((node) => node["Relation Name"]));
        const tables = new Set(nodes.filter(isOpened).map(tableOf));
        if (name in ofOneRoom) assert.equal(opened.size, tables.size, `opens several partitions: ${JSON.stringify(plan)}`);
      }
    });
  }

  it("adding to the logs: planned once for all values", async () => {
    const connection = await current().database.connect();
    await connection.query("begin");
    for (let seq = 101; seq <= 104; seq++) {
      const head = { id: roomId, previous_seq: seq - 1, last_seq: seq, policy_seq: 1 };
      await appendToLogs(connection, [{ ...newEvent(roomId), seq }], [{ ...newMessage(roomId), seq }], [head]);
    }
    const { rows } = await connection.query<{ generic: number; custom: number }>(
      `select generic_plans as generic, custom_plans as custom from pg_prepared_statements
        where statement like '%insert into room_events%' and statement not like '%pg_prepared_statements%'`,
    );
    await connection.release();
    // The first was not prepared.
    assert.deepEqual(rows, [{ generic: 3, custom: 0 }]);
  });

  it("the content of a deleted room: and of no other", async () => {
    const connection = await current().database.connect();
    await connection.query("begin");
    const rows = async (own: "=" | "<>") =>
      (await connection.query<{ n: number }>(`select count(*) as n from messages where room_id ${own} $1`, [roomId])).rows[0]?.n;
    const others = await rows("<>");
    while (await purgeSome(storeOn(connection), roomId, 60));
    assert.deepEqual([await rows("="), await rows("<>")], [0, others]);
    await connection.release();
  });
});

/** Prepares each statement, carries it out explained, and answers no rows. */
class Explaining {
  readonly plans: Plan[] = [];
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async query<Row>(sql: string, params: readonly SqlValue[] = []): Promise<{ rows: Row[]; affected: number }> {
    await this.#connection.query(`prepare explained as ${sql}`);
    const values = params.length === 0 ? "" : `(${params.map(literal).join(", ")})`;
    const explain = `explain (analyze, timing off, format json) execute explained${values}`;
    const { rows } = await this.#connection.query<{ "QUERY PLAN": { Plan: Plan }[] }>(explain);
    await this.#connection.query("deallocate explained");
    for (const row of rows) for (const { Plan } of row["QUERY PLAN"]) this.plans.push(Plan);
    return { rows: [], affected: 0 };
  }
}

function literal(value: SqlValue): string {
  const encoded = encodeParameter(value);
  if (encoded === null) return "null";
  return typeof encoded === "string" ? `'${encoded.replaceAll("'", "''")}'` : `'\\x${encoded.toString("hex")}'`;
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Of a partition, the table that it is a part of. */
function tableOf({ "Relation Name": relation = "" }: Plan): string {
  return relation.replace(/_p\d+$/, "");
}

function isOpened({ "Relation Name": relation = "", "Actual Loops": loops }: Plan): boolean {
  return loops > 0 && /_p\d+$/.test(relation);
}

const newEvent = (room_id: string) => ({ room_id, seq: 101, event: new Uint8Array(1), message_seq: null });
const headAfter = (id: string) => ({ id, previous_seq: 100, last_seq: 101, policy_seq: 1 });
const newMessage = (room_id: string) => ({
  room_id,
  seq: 101,
  id: newId(),
  author_id: newId(),
  text: "text",
  client_message_id: "key",
  created_at: new Date(),
  edited_at: null,
  deleted_at: null,
});

// Rooms with ids that do not change, so that each run finds the same rooms in each partition.
const fill = [
  `insert into users (id, username, display_name, role, password_hash, created_at)
    select gen_random_uuid(), 'user' || n, 'User ' || n, 2, '', now() from generate_series(1, 3000) n`,
  `insert into sessions (id, user_id, kind, secret_hash, created_at, refreshed_at, expires_at)
    select gen_random_uuid(), id, 'session', '', now(), now(), now() + interval '1 day' from users`,
  `insert into rooms (id, visibility, name, created_by, created_at, last_seq, policy_seq, member_count, post_role)
    select md5('room ' || n)::uuid, 1 + n % 2, 'Room ' || n, gen_random_uuid(), now(), 100, 1, 10, 2 from generate_series(1, 2000) n`,
  `insert into room_members (room_id, user_id, role, joined_at)
    select r.id, u.id, 2, now() - interval '1 day' * u.n from (select id, row_number() over () as n from rooms) r
    join (select id, row_number() over () as n from users) u on u.n % 300 = r.n % 300`,
  `insert into messages (room_id, seq, id, author_id, text, client_message_id, content_hash, created_at)
    select id, n, gen_random_uuid(), created_by, 'text', 'key ' || n, '', now() from (select * from rooms order by name limit 100) r, generate_series(1, 100) n`,
  "insert into room_events (room_id, seq, event) select room_id, seq, '' from messages",
  "insert into message_reactions (room_id, message_seq, emoji, user_id, seq) select room_id, seq, 'x', author_id, seq from messages",
  // As autovacuum does: the partitions alone, not what they are parts of.
  `do $$ declare part regclass; begin
    for part in select oid from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
      execute 'analyze ' || part;
    end loop;
  end $$`,
];
