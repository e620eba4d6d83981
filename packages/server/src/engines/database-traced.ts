import type { Connection, Database, SqlResult, SqlValue } from "../ports/database.ts";
import type { SpanOptions, Tracing } from "../ports/tracing.ts";

/** A database whose statements are spans of the trace in which they are asked. Those of no trace, such as regular checks, are none. */
export function tracedDatabase(database: Database, tracing: Tracing): Database {
  return {
    query: (sql, params) => traced(database, tracing, sql, params),
    transaction: (work) => database.transaction((connection) => work(tracedConnection(connection, tracing))),
    connect: async () => tracedConnection(await database.connect(), tracing),
    close: () => database.close(),
  };
}

function tracedConnection(connection: Connection, tracing: Tracing): Connection {
  return { query: (sql, params) => traced(connection, tracing, sql, params), release: () => connection.release() };
}

function traced<Row>(
  session: Pick<Connection, "query">,
  tracing: Tracing,
  sql: string,
  params: readonly SqlValue[] | undefined,
): Promise<SqlResult<Row>> {
  if (tracing.current() === undefined) return session.query<Row>(sql, params);
  return tracing.span(nameOf(sql), options, () => session.query<Row>(sql, params));
}

const options: SpanOptions = { kind: "client", attributes: { "db.system.name": "postgresql" } };

/** What a statement does and the table it does it to, such as "insert room_events": its first word that says so, and never a value. */
export function nameOf(sql: string): string {
  const [, verb = ""] = /\b(insert|update|delete|select|begin|commit|rollback|savepoint|release)\b/i.exec(sql) ?? [];
  const table = /^(insert|update|delete|select)$/i.test(verb)
    ? /\b(?:into|update|from)\s+"?(?!only\b|unnest\b)([a-z_]\w*)/i.exec(sql)?.[1]
    : undefined;
  return [verb.toLowerCase() || "statement", table].filter((part) => part !== undefined).join(" ");
}
