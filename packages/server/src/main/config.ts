import { clientVariables, schema } from "./config-schema.ts";
import { nearest } from "./nearest.ts";
import { servicesProblems } from "./services-config.ts";
import type { Section, Setting } from "./settings.ts";
import { sslModes } from "./ssl-mode.ts";

type Schema = typeof schema;
type Values<S> =
  S extends Section<infer Settings> ? { readonly [K in keyof Settings]: Settings[K] extends Setting<infer T> ? T : never } : never;

/** The value of every setting. */
export type Settings = { readonly [S in keyof Schema]: Values<Schema[S]> };

/** Where the Store is kept. */
export type DatabaseConfig = EngineConfig & Pick<Settings["database"], "logWriters" | "logBatch" | "retentionMs">;

type EngineConfig =
  | { readonly engine: "pglite"; readonly folder: string }
  | ({ readonly engine: "postgres"; readonly url: string } & Pick<
      Settings["database"],
      "poolSize" | "connectTimeoutMs" | "statementTimeoutMs" | "lockTimeoutMs"
    >);

/** What the server is told. Times are in milliseconds (`...Ms`), sizes in bytes (`...Bytes`). It holds secrets: do not log it. */
export type Config = Omit<Settings, "database"> & { readonly database: DatabaseConfig };

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One or more variables are wrong; `problems` names every one of them, and never a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not good:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Every setting of the schema. */
export const allSettings: readonly Setting<unknown>[] = Object.values(schema).flatMap((part) =>
  Object.values<Setting<unknown>>(part.settings),
);

function shown(setting: Setting<unknown>, text: string): string {
  return setting.secret ? "what it is now" : JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}

function problemOf(setting: Setting<unknown>, text: string): string {
  const detail = setting.problem === undefined ? "" : `: ${setting.problem(text)}`;
  return `${setting.variable} must be ${setting.accepts}, not ${shown(setting, text)}${detail}.`;
}

/** The value of one setting; a variable that is empty counts as left out. */
function read(setting: Setting<unknown>, env: Environment, problems: string[]): unknown {
  const text = env[setting.variable]?.trim() ?? "";
  if (text === "") return setting.fallback;
  const value = setting.parse(text);
  if (value === undefined) problems.push(problemOf(setting, text));
  return value;
}

/** Kubernetes puts such variables into every container beside a service named "parlor"; they are nobody's settings. */
function isServiceLink(name: string, value: string | undefined): boolean {
  return /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP)(_|$)/.test(name) || /^(tcp|udp):\/\//.test(value ?? "");
}

function unknownVariables(env: Environment): string[] {
  const known = [...allSettings.map((setting) => setting.variable), ...clientVariables];
  const unknown = Object.keys(env).filter((name) => name.startsWith("PARLOR_") && !known.includes(name) && !isServiceLink(name, env[name]));
  return unknown.map((name) => {
    const plain = name.slice("PARLOR_".length);
    const guess = known.includes(plain) ? plain : nearest(name, known);
    return `${name} is not a setting.${guess === undefined ? "" : ` Did you mean ${guess}?`}`;
  });
}

function databaseProblems(env: Environment): string[] {
  const parts = ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"].filter((name) => (env[name] ?? "") !== "");
  if (parts.length === 0) return [];
  if ((env["DATABASE_URL"] ?? "") !== "") return [`DATABASE_URL and ${parts.join(", ")} say the same thing twice: keep one of them.`];
  return parts.includes("DB_HOST")
    ? []
    : [`DB_HOST must be set when ${parts.join(", ")} is: without it the embedded database would be used.`];
}

/** The driver takes it for what a URL does not say; of a word that it does not know it makes a connection without TLS. */
function sslModeProblems(env: Environment): string[] {
  const mode = env["PGSSLMODE"] ?? "";
  const isUsed = (env["DATABASE_URL"] ?? "") !== "" || (env["DB_HOST"] ?? "") !== "";
  if (!isUsed || mode === "" || sslModes.some((known) => known === mode)) return [];
  return [`PGSSLMODE must be one of ${sslModes.join(", ")}, not ${JSON.stringify(mode)}.`];
}

function tlsProblems(env: Environment): string[] {
  const [cert = "", key = "", ca = ""] = ["PARLOR_TLS_CERT_FILE", "PARLOR_TLS_KEY_FILE", "PARLOR_TLS_CLIENT_CA_FILE"].map(
    (name) => env[name],
  );
  if ((cert === "") !== (key === "")) return ["PARLOR_TLS_CERT_FILE and PARLOR_TLS_KEY_FILE must be set both, or none of them."];
  return ca !== "" && cert === "" ? ["PARLOR_TLS_CLIENT_CA_FILE needs PARLOR_TLS_CERT_FILE and PARLOR_TLS_KEY_FILE."] : [];
}

/** A bus that others share is of no use to a database that nobody else can open. */
function redisProblems({ redis, database, services }: Settings): string[] {
  const withoutStore = services.hosted.every((service) => service === "gateway");
  if (redis.url === undefined || database.url !== undefined || database.host !== undefined || withoutStore) return [];
  return ["REDIS_URL needs DATABASE_URL or DB_HOST: it is for nodes that share a PostgreSQL database, and the embedded one has one node."];
}

/**
 * The settings that an environment gives, with defaults for the rest.
 * @throws ConfigError that names every variable that is wrong
 */
export function readSettings(env: Environment): Settings {
  const problems: string[] = [];
  const sections = Object.entries(schema).map(([name, part]) => {
    const values = Object.entries<Setting<unknown>>(part.settings).map(([key, setting]) => [key, read(setting, env, problems)]);
    return [name, Object.fromEntries(values)];
  });
  problems.push(...databaseProblems(env), ...sslModeProblems(env), ...tlsProblems(env), ...unknownVariables(env));
  const settings = Object.fromEntries(sections) as Settings;
  if (problems.length === 0) problems.push(...servicesProblems(settings.services, settings), ...redisProblems(settings));
  if (problems.length > 0) throw new ConfigError(problems);
  return settings;
}

function databaseConfig({ database, server }: Settings): DatabaseConfig {
  const { url: given, host, port, user, password, name, ...rest } = database;
  const url = given ?? (host === undefined ? undefined : urlOf(host, port, user, password, name));
  if (url !== undefined) return { engine: "postgres", url, ...rest };
  const { logWriters, logBatch, retentionMs } = rest;
  return { engine: "pglite", folder: server.dataDir, logWriters, logBatch, retentionMs };
}

function urlOf(host: string, port = 5432, user = "parlor", password: string | undefined = undefined, name = "parlor"): string {
  const account = encodeURIComponent(user) + (password === undefined ? "" : `:${encodeURIComponent(password)}`);
  const place = host.includes(":") ? `[${host}]` : encodeURIComponent(host);
  return `postgres://${account}@${place}:${port}/${encodeURIComponent(name)}`;
}

function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) frozen(inner);
  return Object.freeze(value);
}

/** The config that settings make: a choice of database instead of its parts. */
export function makeConfig(settings: Settings): Config {
  return frozen({ ...settings, database: databaseConfig(settings) });
}

/**
 * The config that an environment gives.
 * @throws ConfigError that names every variable that is wrong
 */
export function loadConfig(env: Environment): Config {
  return makeConfig(readSettings(env));
}
