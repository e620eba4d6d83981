import type { Caller } from "../../domain/call.ts";
import type { Origin } from "../../realtime/connection.ts";
import type { SessionHold } from "../../realtime/durable-session.ts";
import type { Api } from "../../services/api.ts";
import type { Client } from "./client.ts";
import { type ConnectRequest, refusedSignIn } from "./connect.ts";
import { InFlight } from "./in-flight.ts";
import { interestOf } from "./topics.ts";

/** Most events in flight to one client, whatever it would take: what is lost with a connection is sent again. */
const maxInFlight = 512;

/** Whose token the password is. @throws Breach, ParlorError */
export async function callerOf(api: Api, { token, username }: ConnectRequest, origin: Origin): Promise<Caller> {
  const caller = await api.authenticate(token, origin);
  if (!caller) throw refusedSignIn("Give an access token or API token as the password.");
  // Who somebody is comes from the token alone; a name that is given must not say something else.
  if (username !== undefined && username !== "" && username.toLowerCase() !== caller.username)
    throw refusedSignIn("The user name is not that of the token's owner.");
  return caller;
}

/** The window towards a client, with what an earlier connection of its session left. */
export function resumedFlight({ receiveMaximum }: ConnectRequest, session: SessionHold | undefined): InFlight {
  const inFlight = new InFlight(Math.min(receiveMaximum, maxInFlight));
  for (const [roomId, { acked }] of session?.stored?.cursors ?? []) inFlight.begin(roomId, acked);
  return inFlight;
}

/** Puts what a session had subscribed to in force again. */
export function restore(client: Pick<Client, "subscriptions" | "subscription">, session: SessionHold | undefined): void {
  for (const { filter, qos, encoding } of session?.stored?.subscriptions ?? []) {
    const interest = interestOf(filter);
    if (interest) client.subscriptions.put(client.subscription(filter, qos, encoding), interest);
  }
}

/** The places at which an earlier connection of the session was, at most: what comes again up to there is said to. */
export function sentBefore(session: SessionHold | undefined): ReadonlyMap<string, number> | undefined {
  const left = [...(session?.stored?.cursors ?? [])].filter(([, { acked, sent }]) => sent > acked);
  return left.length === 0 ? undefined : new Map(left.map(([roomId, { sent }]) => [roomId, sent]));
}
