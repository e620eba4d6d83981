// The topics, as docs/mqtt.md has them. Ids are lower-case UUIDs: topics are compared byte by byte.
const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const root = "parlor/v1/";

export const topics = {
  events: (roomId: string): string => `${root}rooms/${roomId}/events`,
  typing: (roomId: string): string => `${root}rooms/${roomId}/typing`,
  presence: `${root}me/presence`,
  errors: `${root}me/errors`,
  replies: `${root}me/replies`,
  gaps: `${root}me/gaps`,
} as const;

/** What a client may publish to. */
export type Target =
  | { readonly kind: "send"; readonly roomId: string }
  | { readonly kind: "typing" | "read"; readonly roomId: string }
  | { readonly kind: "history" | "log"; readonly roomId: string }
  | { readonly kind: "presence" };

const roomTarget = new RegExp(`^${root}rooms/(${uuid})/(send|typing|read|history|log)$`);

/** What a topic name stands for; undefined for one that is not there. */
export function targetOf(topic: string): Target | undefined {
  if (topic === topics.presence) return { kind: "presence" };
  const [, roomId, kind] = roomTarget.exec(topic) ?? [];
  return roomId === undefined ? undefined : { kind: kind as "send", roomId };
}

/** What a client may subscribe to. A `roomId` that is left out stands for every room of the person. */
export type Interest =
  | { readonly kind: "events" | "typing"; readonly roomId: string | undefined }
  | { readonly kind: "presence" | "errors" | "replies" | "gaps" };

const roomFilter = new RegExp(`^${root}rooms/(${uuid}|[+])/(events|typing)$`);
const replyTopic = new RegExp(`^${topics.replies}(/[^+#/]{1,128}){0,4}$`);
const replyFilter = new RegExp(`^${topics.replies}(/([^+#/]{1,128}|[+])){0,4}(/#)?$`);

const sharedFilter = /^[$]share[/][^/+#]{1,128}[/](.+)$/;

/** Whether a filter is that of a shared subscription (MQTT 5, section 4.8.2). */
export function isShared(filter: string): boolean {
  return filter.startsWith("$share/");
}

/** Longest topic filter, in UTF-16 code units: they are kept with the session. */
export const maxFilter = 256;

/** The filter for the events of every room of the person. */
export const everyEvent = topics.events("+");
const everyTyping = topics.typing("+");

/** The filter by which the topic of a room is asked for in all rooms of the person. */
export function everyRoomOf(topic: string): string | undefined {
  if (topic.endsWith("/events")) return everyEvent;
  return topic.endsWith("/typing") ? everyTyping : undefined;
}

/** What a topic filter asks for; undefined for one that is not served. Of shared ones there are those to events alone. */
export function interestOf(filter: string): Interest | undefined {
  if (filter.length > maxFilter) return undefined;
  if (!isShared(filter)) return ownInterestOf(filter);
  const interest = ownInterestOf(sharedFilter.exec(filter)?.[1] ?? "");
  return interest?.kind === "events" ? interest : undefined;
}

function ownInterestOf(filter: string): Interest | undefined {
  if (filter === topics.presence) return { kind: "presence" };
  if (filter === topics.errors) return { kind: "errors" };
  if (filter === topics.gaps) return { kind: "gaps" };
  if (replyFilter.test(filter)) return { kind: "replies" };
  const [, roomId, kind] = roomFilter.exec(filter) ?? [];
  return roomId === undefined ? undefined : { kind: kind as "events", roomId: roomId === "+" ? undefined : copyOf(roomId) };
}

/** What is kept, and compared for each event: a part of another text would keep the whole of it, and be slow to compare. */
function copyOf(part: string): string {
  return Buffer.from(part, "latin1").toString("latin1");
}

/** Whether answers may go to this topic: only to one's own. */
export function isReplyTopic(topic: string): boolean {
  return replyTopic.test(topic);
}

/** Whether a topic name matches a filter (MQTT 5, section 4.7). */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return true;
    if (levels[i] === undefined || (level !== "+" && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
