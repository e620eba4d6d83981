// The bridge's topics on the broker. Who may write to a topic of sends is the broker's rule:
// `pattern write parlor/v1/u/%u/#` lets each user of the broker write under their own name, and nobody else's.

/** Every user's sends. */
export const SENDS = "parlor/v1/u/+/rooms/+/send";

/** The same, each to one of the bridges (MQTT 5, section 4.8.2). */
export const SHARED_SENDS = `$share/parlor/${SENDS}`;

/** Where the bridge that publishes events says so, retained, so that no other one does. */
export const LEADER = "parlor/v1/bridge/leader";

export function eventsTopic(roomId: string): string {
  return `parlor/v1/rooms/${roomId}/events`;
}

/** Where a user hears what became of a send. */
export function resultsTopic(username: string): string {
  return `parlor/v1/u/${username}/results`;
}

export interface SendTopic {
  readonly username: string;
  readonly roomId: string;
}

/** Whose send to which room a topic is; undefined for any other topic. */
export function sendTopic(topic: string): SendTopic | undefined {
  const [, username, roomId] = /^parlor\/v1\/u\/([^/]+)\/rooms\/([^/]+)\/send$/.exec(topic) ?? [];
  return username === undefined || roomId === undefined ? undefined : { username, roomId };
}
