// What the server can be told, for checking what deployments tell it.
import { allSettings } from "../../../packages/server/src/main/config.ts";

/** Settings that other libraries read from the environment. */
const othersSettings = /^(OTEL_[A-Z_]+|NODE_[A-Z_]+|HOME|PATH)$/;

const known = new Set(allSettings.map(({ variable }) => variable));

/** @returns the variables that are no setting of the server */
export function unknownSettings(names: Iterable<string>): string[] {
  return [...new Set(names)].filter((name) => !known.has(name) && !othersSettings.test(name));
}

/** What each of the values is not allowed to be, by the settings' own rules: `NAME must be ...`. */
export function wrongSettings(values: Readonly<Record<string, string>>): string[] {
  return allSettings
    .filter(({ variable, parse }) => values[variable] !== undefined && values[variable] !== "" && parse(values[variable]) === undefined)
    .map(({ variable, accepts }) => `${variable} must be ${accepts}`);
}
