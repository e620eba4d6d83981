// REDIS_URL: where Redis is, in one of three forms.

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

export interface RedisPlace {
  /** One server; a master that sentinels know; or a cluster, of which some servers are named. */
  readonly form: "single" | "sentinel" | "cluster";
  /** The server, the sentinels, or servers of the cluster: at least one. */
  readonly hosts: readonly RedisHost[];
  /** The name by which the sentinels know the master; empty in the other forms. */
  readonly master: string;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** What is wrong with a URL, without showing any of it. */
export class RedisUrlError extends Error {
  override readonly name = "RedisUrlError";
}

const forms = { "": "single", "+sentinel": "sentinel", "+cluster": "cluster" } as const;
const pattern = /^redis(?<tls>s?)(?<form>|\+sentinel|\+cluster):\/\/(?:(?<account>[^@/]*)@)?(?<hosts>[^@/?#]*)(?:\/(?<path>[^/?#]*))?$/;

/** Reads a REDIS_URL. The number of a database is accepted and means nothing: channels are common to all of them. @throws RedisUrlError */
export function parseRedisUrl(url: string): RedisPlace {
  const parts = pattern.exec(url)?.groups;
  if (!parts) throw new RedisUrlError("it has another form; special characters in its user and password must be percent-encoded");
  const form = forms[parts["form"] as keyof typeof forms];
  const [user, ...password] = (parts["account"] ?? "").split(":");
  return {
    form,
    hosts: hostsOf(parts["hosts"] ?? "", form),
    master: masterOf(parts["path"] ?? "", form),
    tls: parts["tls"] === "s",
    username: decoded(user ?? "") || undefined,
    password: decoded(password.join(":")) || undefined,
  };
}

function hostsOf(list: string, form: RedisPlace["form"]): RedisHost[] {
  const hosts = list.split(",");
  if (form === "single" && hosts.length > 1)
    throw new RedisUrlError("it names several servers: write redis+sentinel:// or redis+cluster:// for them");
  return hosts.map((one) => hostOf(one, form === "sentinel" ? 26379 : 6379));
}

function hostOf(text: string, usualPort: number): RedisHost {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined) throw new RedisUrlError("a host in it is empty, or no host");
  const number = port === undefined ? usualPort : Number(port);
  if (number < 1 || number > 65535) throw new RedisUrlError("a port in it is not from 1 to 65535");
  return { host: host.replace(/^\[|\]$/g, ""), port: number };
}

function masterOf(path: string, form: RedisPlace["form"]): string {
  const master = form === "sentinel" ? decoded(path) : "";
  if (form === "sentinel" && master === "") throw new RedisUrlError("the name of the master is missing after the sentinels: .../mymaster");
  if (form !== "sentinel" && !/^\d*$/.test(path))
    throw new RedisUrlError("after the host there is something that is not the number of a database");
  return master;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisUrlError("a percent sign in it is not followed by two hexadecimal digits");
  }
}
