// The schema as text, the same from every engine and version: what migrations are compared by, and docs/schema.sql.
import type { Database } from "../ports/database.ts";

interface Table {
  readonly name: string;
  /** What it is divided by, or null. */
  readonly divided: string | null;
  readonly columns: readonly string[];
  readonly constraints: readonly string[];
  readonly indexes: readonly string[];
  readonly partitions: readonly Partition[];
}

interface Partition {
  readonly name: string;
  readonly bound: string;
  /** Their names. */
  readonly indexes: readonly string[];
}

// PostgreSQL 18 lists "not null" among the constraints (contype n), older ones do not: it stands with the column here.
const tablesQuery = `
  select c.relname as name, pg_get_partkeydef(c.oid) as divided,
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
      select replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') from pg_index i
      where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))
      order by i.indexrelid::regclass::text collate "C"
    ) as indexes,
    coalesce((
      select json_agg(json_build_object('name', p.relname, 'bound', pg_get_expr(p.relpartbound, p.oid), 'indexes', array(
        select i.indexrelid::regclass::text from pg_index i where i.indrelid = p.oid order by i.indexrelid::regclass::text collate "C"
      )) order by p.relname collate "C")
      from pg_inherits h join pg_class p on p.oid = h.inhrelid where h.inhparent = c.oid
    ), '[]') as partitions
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = current_schema() and c.relname <> 'schema_migrations'
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

function tableText({ name, divided, columns, constraints, indexes, partitions }: Table): string {
  const lines = [...columns, ...constraints].map((line) => `  ${line}`).join(",\n");
  const end = divided === null ? "" : ` partition by ${divided}`;
  const all = [...indexes.map((index) => `${index};`), ...partitions.map((partition) => partitionText(name, partition))];
  return [`create table ${name} (\n${lines}\n)${end};`, ...all, ""].join("\n");
}

function partitionText(table: string, { name, bound, indexes }: Partition): string {
  return `create table ${name} partition of ${table} ${bound}; -- ${indexes.join(", ")}`;
}
