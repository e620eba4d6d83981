import { isIP } from "node:net";
import { parseRedisUrl } from "../engines/redis-url.ts";
import { sslModeProblem } from "./ssl-mode.ts";

/** One setting: the environment variable that sets it, what it accepts, and what it means. */
export interface Setting<T> {
  readonly variable: string;
  /** What a value must be, to go after "must be": "a whole number from 1 to 65535". */
  readonly accepts: string;
  readonly fallback: T;
  /** The default as one would write it in the environment; empty when there is none. */
  readonly fallbackText: string;
  /** Whether the value must never be shown. */
  readonly secret: boolean;
  /** One or two sentences for the reference. */
  readonly doc: string;
  /** The value that a text stands for, or undefined when it is not acceptable. */
  parse(text: string): NonNullable<T> | undefined;
  /** What is wrong with a text that is not acceptable, where more can be said; it never repeats a secret. */
  problem?(text: string): string;
}

/** Settings that belong together. */
export interface Section<S extends Readonly<Record<string, Setting<unknown>>>> {
  readonly title: string;
  readonly settings: S;
}

export function section<S extends Readonly<Record<string, Setting<unknown>>>>(title: string, settings: S): Section<S> {
  return { title, settings };
}

interface Kind<T> {
  readonly accepts: string;
  parse(text: string): T | undefined;
}

/** Makes a setting with a default, which is written as in the environment. */
function setting<T>(variable: string, kind: Kind<T>, fallbackText: string, doc: string): Setting<T> {
  const fallback = kind.parse(fallbackText);
  if (fallback === undefined) throw new TypeError(`the default of ${variable} must be ${kind.accepts}`);
  return { ...kind, variable, fallback, fallbackText, secret: false, doc } as Setting<T>;
}

/** A setting that may be left out. */
function optional<T>(variable: string, kind: Kind<T>, doc: string, secret = false): Setting<T | undefined> {
  return { ...kind, variable, fallback: undefined, fallbackText: "", secret, doc } as Setting<T | undefined>;
}

function inRange(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}

const wholeNumber = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

function integerKind(least: number, most: number): Kind<number> {
  return {
    accepts: `a whole number from ${least} to ${most}`,
    parse: (text) => inRange(wholeNumber(text), least, most),
  };
}

export function integer(variable: string, fallback: number, [least, most]: readonly [number, number], doc: string): Setting<number> {
  return setting(variable, integerKind(least, most), String(fallback), doc);
}

export function optionalInteger(variable: string, [least, most]: readonly [number, number], doc: string): Setting<number | undefined> {
  return optional(variable, integerKind(least, most), doc);
}

/** A share, from 0 to 1. */
export function ratio(variable: string, fallback: string, doc: string): Setting<number> {
  const parse = (text: string): number | undefined => (/^\d*\.?\d+$/.test(text) ? inRange(Number(text), 0, 1) : undefined);
  return setting(variable, { accepts: "a number from 0 to 1", parse }, fallback, doc);
}

/** A number with one of the units, as a count of the smallest. */
function withUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^(\d{1,12}) ?([A-Za-z]+)$/.exec(text) ?? [];
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined;
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

const timeUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A time with its unit, such as "25s"; the value is in milliseconds. */
export function duration(variable: string, fallback: string, [least, most]: readonly [string, string], doc: string): Setting<number> {
  const read = (text: string): number | undefined => withUnit(text, timeUnits);
  const kind = {
    accepts: `a time from ${least} to ${most}, with its unit (ms, s, m, h or d)`,
    parse: (text: string) => inRange(read(text), read(least) as number, read(most) as number),
  };
  return setting(variable, kind, fallback, doc);
}

/** A time with its unit that may be left out; the value is in milliseconds. */
export function optionalDuration(variable: string, [least, most]: readonly [string, string], doc: string): Setting<number | undefined> {
  const { accepts, parse } = duration(variable, least, [least, most], doc);
  return optional(variable, { accepts, parse }, doc);
}

/** A size with its unit, such as "64KiB"; the value is in bytes. */
export function size(variable: string, fallback: string, [least, most]: readonly [string, string], doc: string): Setting<number> {
  const read = (text: string): number | undefined => withUnit(text, sizeUnits);
  const kind = {
    accepts: `a size from ${least} to ${most}, with its unit (B, KiB, MiB or GiB)`,
    parse: (text: string) => inRange(read(text), read(least) as number, read(most) as number),
  };
  return setting(variable, kind, fallback, doc);
}

const switchKind: Kind<boolean> = {
  accepts: "on or off",
  parse: (text) => (text === "on" ? true : text === "off" ? false : undefined),
};

export function onOff(variable: string, fallback: "on" | "off", doc: string): Setting<boolean> {
  return setting(variable, switchKind, fallback, doc);
}

export function choice<const C extends string>(variable: string, fallback: C, choices: readonly C[], doc: string): Setting<C> {
  const kind = {
    accepts: `one of ${choices.join(", ")}`,
    parse: (text: string) => choices.find((one) => one === text),
  };
  return setting(variable, kind, fallback, doc);
}

const textKind: Kind<string> = {
  accepts: "text without control characters",
  parse: (text) => (/\p{Cc}/u.test(text) ? undefined : text),
};

export function text(variable: string, fallback: string, doc: string): Setting<string> {
  return setting(variable, textKind, fallback, doc);
}

export function optionalText(variable: string, doc: string): Setting<string | undefined> {
  return optional(variable, textKind, doc);
}

/** A secret of at least so many bytes. */
export function longSecret(variable: string, leastBytes: number, doc: string): Setting<string | undefined> {
  const kind = {
    accepts: `a secret of at least ${leastBytes} bytes of printable ASCII`,
    parse: (text: string) => (text.length >= leastBytes && /^[!-~]+$/.test(text) ? text : undefined),
  };
  return optional(variable, kind, doc, true);
}

export function secret(variable: string, doc: string): Setting<string | undefined> {
  return optional(variable, textKind, doc, true);
}

function urlWith(protocols: readonly string[], text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && protocols.includes(url.protocol) ? url : undefined;
}

export function optionalPostgresUrl(variable: string, doc: string): Setting<string | undefined> {
  const read = (text: string): URL | undefined => urlWith(["postgres:", "postgresql:"], text);
  const problem = (text: string): string => {
    const url = read(text);
    return url === undefined ? "it has another form; special characters in it must be percent-encoded" : sslModeProblem(url);
  };
  const kind = {
    accepts: "a URL like postgres://user:password@host:5432/name",
    parse: (text: string) => (problem(text) === "" ? text : undefined),
    problem,
  };
  return optional(variable, kind, doc, true);
}

/** Where Redis is, as `engines/redis-url.ts` reads it. */
export function optionalRedisUrl(variable: string, doc: string): Setting<string | undefined> {
  const problem = (text: string): string => {
    try {
      parseRedisUrl(text);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const kind = {
    accepts:
      "a URL like redis://user:password@host:6379 (rediss:// with TLS), redis+sentinel://host:26379,host:26379/master or redis+cluster://host:6379,host:6379",
    parse: (text: string) => (problem(text) === "" ? text : undefined),
    problem,
  };
  return optional(variable, kind, doc, true);
}

/** The address of an MQTT broker, which may hold a user name and a password. */
export function optionalBrokerUrl(variable: string, doc: string): Setting<string | undefined> {
  const kind = {
    accepts: "a URL like mqtt://user:password@host:1883 (or mqtts, ws, wss)",
    parse: (text: string) => (urlWith(["mqtt:", "mqtts:", "ws:", "wss:"], text) ? text : undefined),
  };
  return optional(variable, kind, doc, true);
}

/** A text of letters, digits and some marks. */
export function word(variable: string, fallback: string, doc: string): Setting<string> {
  const kind = {
    accepts: "1 to 100 letters, digits, and . _ - :",
    parse: (text: string) => (/^[\w.:-]{1,100}$/.test(text) ? text : undefined),
  };
  return setting(variable, kind, fallback, doc);
}

/** An http or https address without a query; the value has no slash at its end. */
export function optionalWebUrl(variable: string, doc: string): Setting<string | undefined> {
  const kind = {
    accepts: "an http or https URL without user name, query or fragment, like https://chat.example.org",
    parse(text: string) {
      const url = urlWith(["http:", "https:"], text);
      return !url || url.username || url.search || url.hash ? undefined : url.href.replace(/\/+$/, "");
    },
  };
  return optional(variable, kind, doc);
}

function list(variable: string, accepts: string, item: (text: string) => string | undefined, doc: string): Setting<readonly string[]> {
  const kind: Kind<readonly string[]> = {
    accepts,
    parse(text) {
      const items = text
        .split(",")
        .map((one) => one.trim())
        .filter((one) => one !== "")
        .map(item);
      return items.includes(undefined) ? undefined : (items as string[]);
    },
  };
  return setting(variable, kind, "", doc);
}

/** One or more of these, with commas; the default is all of them, as the word `all` is. */
export function several<const C extends string>(variable: string, choices: readonly C[], doc: string): Setting<readonly C[]> {
  const kind = {
    accepts: `all, or a list with commas of ${choices.join(", ")}`,
    parse(text: string) {
      const names = text.split(",").map((one) => one.trim());
      if (text.trim() === "all") return choices;
      return names.every((name) => choices.includes(name as C)) ? choices.filter((one) => names.includes(one)) : undefined;
    },
  };
  return setting(variable, kind, "all", doc);
}

/** Origins as browsers send them, such as "https://chat.example.org", or "*". */
export function origins(variable: string, doc: string): Setting<readonly string[]> {
  const accepts = "* or a list of origins with commas, each like https://chat.example.org or http://localhost:5173, without a path";
  return list(variable, accepts, (one) => (one === "*" || urlWith(["http:", "https:"], one)?.origin === one ? one : undefined), doc);
}

function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const most = isIP(address) === 4 ? 32 : 128;
  return isIP(address) > 0 && rest.length === 0 && (bits === undefined || inRange(wholeNumber(bits), 0, most) !== undefined);
}

/** Addresses and networks (CIDR). */
export function networks(variable: string, doc: string): Setting<readonly string[]> {
  const accepts = "a list of IP addresses and networks with commas, like 127.0.0.1,10.0.0.0/8";
  return list(variable, accepts, (one) => (isNetwork(one) ? one : undefined), doc);
}
