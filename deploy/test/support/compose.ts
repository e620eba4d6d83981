// Compose files as Docker Compose reads them: YAML with merge keys, then ${...} filled in, then checked against the specification.
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import { readText } from "./root.ts";

export interface Dependency {
  readonly condition: "service_started" | "service_healthy" | "service_completed_successfully";
}

export interface ComposeService {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly secrets?: readonly string[];
  readonly depends_on?: Readonly<Record<string, Dependency>>;
  readonly healthcheck?: { readonly disable?: boolean };
  readonly extends?: { readonly file?: string; readonly service: string };
  readonly read_only?: boolean;
  readonly restart?: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>;
}

/** Fills in `${NAME}`, `${NAME:-default}` and `${NAME:?message}`. @throws Error when a variable that must be said is not */
export function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}/g, (whole, name?: string, kind?: string, rest?: string) => {
    if (name === undefined) return whole === "$$" ? "$" : whole;
    const value = variables[name] ?? "";
    if (value === "" && kind === "?") throw new Error(`${name}: ${rest}`);
    return value === "" && kind === "-" ? (rest ?? "") : value;
  });
}

/** Names that must be said, and have no default. */
export function requiredVariables(text: string): string[] {
  return [...new Set([...text.replaceAll("$$", "").matchAll(/\$\{(\w+):\?/g)].map(([, name = ""]) => name))].sort();
}

/** A Compose file of the repository with its variables filled in. */
export function composeFile(path: string, variables: Readonly<Record<string, string>>): ComposeFile {
  return parse(interpolate(readText(path), variables), { merge: true }) as ComposeFile;
}

/** @returns what the Compose Specification's schema has against it */
export function schemaProblems(file: ComposeFile): string[] {
  const { $schema: _, ...schema } = JSON.parse(readText("deploy/schemas/compose-spec.json")) as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  // A format of the specification alone.
  ajv.addFormat("subnet_ip_address", true);
  const validate = ajv.compile(schema);
  return validate(file) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
