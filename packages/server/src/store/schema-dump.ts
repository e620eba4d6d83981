// The schema as text, the same from every engine and version: what migrations are compared by, and docs/schema.sql.
import type { Database } from "../ports/database.ts";

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly constraints: readonly string[];
  readonly indexes: readonly string[];
}

// PostgreSQL 18 lists "not null" among the constraints (contype n), older ones do not: it stands with the column here.
const tablesQuery = `
  select c.relname as name,
    array(
      select concat_ws(' ',
        quote_ident(a.attname),
        format_type(a.atttypid, a.atttypmod),
        case when a.attnotnull then 'not null' end,
        case when a.attgenerated = 's' then 'generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') stored'
             when d.adbin is not null then 'default ' || pg_get_expr(d.adbin, d.adrelid) end)
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum
    ) as columns,
    array(
      select 'constraint ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
      from pg_constraint where conrelid = c.oid and contype <> 'n' order by contype <> 'p', conname
    ) as constraints,
    array(
      select pg_get_indexdef(i.indexrelid) from pg_index i
      where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))
      order by i.indexrelid::regclass::text collate "C"
    ) as indexes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname = current_schema() and c.relname <> 'schema_migrations'
  order by c.relname collate "C"`;

const othersQuery = `
  select kind, name from (
    select 'function' as kind, p.oid::regprocedure::text as name, p.pronamespace as namespace from pg_proc p
    union all select 'type', typname, typnamespace from pg_type where typtype in ('e', 'd')
    union all select 'view', relname, relnamespace from pg_class where relkind in ('v', 'm')
    union all select 'sequence', relname, relnamespace from pg_class where relkind = 'S'
  ) others where namespace = current_schema()::regnamespace order by kind, name collate "C"`;

/** Every table with its columns, constraints and indexes as SQL, sorted by name, and the names of whatever else there is. */
export async function dumpSchema(database: Database): Promise<string> {
  const tables = await database.query<Table>(tablesQuery);
  const others = await database.query<{ kind: string; name: string }>(othersQuery);
  return [...tables.rows.map(tableText), ...others.rows.map(({ kind, name }) => `-- ${kind} ${name}\n`)].join("\n");
}

function tableText({ name, columns, constraints, indexes }: Table): string {
  const lines = [...columns, ...constraints].map((line) => `  ${line}`).join(",\n");
  return [`create table ${name} (\n${lines}\n);`, ...indexes.map((index) => `${index};`), ""].join("\n");
}
