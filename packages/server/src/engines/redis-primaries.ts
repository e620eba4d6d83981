// Connections to every Redis server that takes publishes: the one, the sentinels' master, or the primaries of a cluster.
import { type LinkHandlers, RedisLink } from "./redis-link.ts";
import { slotOf } from "./redis-slots.ts";
import type { RedisHost, RedisPlace } from "./redis-url.ts";

const noHandlers: LinkHandlers = { message() {}, lost() {} };

interface SlotRange extends RedisHost {
  readonly from: number;
  readonly to: number;
}

/** Where each channel lives, and a connection to there. */
export interface Primaries {
  readonly links: readonly RedisLink[];
  linkOf(channel: string): RedisLink;
  /** Channels that one command may name together are of one group. */
  groupOf(channel: string): number;
  /** Whether these are still the servers that they were. */
  stillSo(): Promise<boolean>;
}

/** Finds and connects them. @throws Error why that failed; no connection is left then */
export async function openPrimaries(place: RedisPlace, handlers: LinkHandlers): Promise<Primaries> {
  if (place.form === "cluster") return openCluster(place, handlers);
  const host = place.form === "sentinel" ? await askSome(place, masterKnownBy(place.master)) : (place.hosts[0] as RedisHost);
  const link = await RedisLink.open(place, host, handlers);
  if (place.form === "sentinel") await requireMaster(link);
  return { links: [link], linkOf: () => link, groupOf: () => 0, stillSo: async () => true };
}

async function openCluster(place: RedisPlace, handlers: LinkHandlers): Promise<Primaries> {
  const ranges = await askSome(place, slotRanges);
  const byHost = new Map<string, RedisLink>();
  try {
    for (const range of ranges) {
      const key = keyOf(range);
      if (!byHost.has(key)) byHost.set(key, await RedisLink.open(place, range, handlers));
    }
  } catch (error) {
    for (const link of byHost.values()) link.close();
    throw error;
  }
  const bySlot = new Array<RedisLink>(16384);
  for (const range of ranges) bySlot.fill(byHost.get(keyOf(range)) as RedisLink, range.from, range.to + 1);
  const links = [...byHost.values()];
  return {
    links,
    linkOf: (channel) => bySlot[slotOf(channel)] as RedisLink,
    groupOf: slotOf,
    stillSo: async () => shapeOf(await slotRanges(links[0] as RedisLink)) === shapeOf(ranges),
  };
}

/** Asks the hosts of the URL one after the other until one knows. */
async function askSome<T>(place: RedisPlace, question: (link: RedisLink) => Promise<T>): Promise<T> {
  const failures: string[] = [];
  for (const host of place.hosts) {
    try {
      return await ask(place, host, question);
    } catch (error) {
      failures.push(`${host.host}:${host.port}: ${(error as Error).message}`);
    }
  }
  throw new Error(failures.join("; "));
}

async function ask<T>(place: RedisPlace, host: RedisHost, question: (link: RedisLink) => Promise<T>): Promise<T> {
  const link = await openAsker(place, host);
  try {
    return await question(link);
  } finally {
    link.close();
  }
}

/** Sentinels often have no password where Redis itself has one. */
async function openAsker(place: RedisPlace, host: RedisHost): Promise<RedisLink> {
  try {
    return await RedisLink.open(place, host, noHandlers);
  } catch (error) {
    if (place.form !== "sentinel" || !/without any password|WRONGPASS/.test((error as Error).message)) throw error;
    return RedisLink.open({ ...place, username: undefined, password: undefined }, host, noHandlers);
  }
}

function masterKnownBy(name: string): (sentinel: RedisLink) => Promise<RedisHost> {
  return async (sentinel) => {
    const answer = (await sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)) as [string, string] | null;
    if (answer === null) throw new Error(`it knows no master named ${name}`);
    return { host: answer[0], port: Number(answer[1]) };
  };
}

/** A sentinel may not have heard yet that its master is none any more. */
async function requireMaster(link: RedisLink): Promise<void> {
  const [role] = (await link.command("ROLE")) as [string];
  if (role === "master") return;
  link.close();
  throw new Error("the server is a replica now");
}

type SlotsReply = ReadonlyArray<readonly [from: number, to: number, primary: readonly [host: string | null, port: number]]>;

async function slotRanges(link: RedisLink): Promise<SlotRange[]> {
  const reply = (await link.command("CLUSTER", "SLOTS")) as SlotsReply;
  const ranges = reply.map(([from, to, [host, port]]) => ({ from, to, host: host || link.host.host, port }));
  const covered = ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (covered !== 16384) throw new Error(`the cluster serves ${covered} of 16384 slots`);
  return ranges;
}

function keyOf({ host, port }: RedisHost): string {
  return `${host}:${port}`;
}

function shapeOf(ranges: readonly SlotRange[]): string {
  return ranges
    .map((range) => `${range.from}-${range.to}=${keyOf(range)}`)
    .sort()
    .join();
}
