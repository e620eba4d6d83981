import { create, type DescMethod, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { MqttSessionsService } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import type { StoredSubscription } from "../../realtime/durable-session.ts";
import type { SessionState, SessionStore, SessionWish, TakenSession } from "../../realtime/session-store.ts";
import type { HeldSession } from "../../store/mqtt-sessions.ts";
import { cursorsOf, messageOf, subscriptionsOf } from "../mqtt-sessions/messages.ts";
import type { ServiceChannel } from "./service-channel.ts";

const { method } = MqttSessionsService;
/** How long a call may take (milliseconds): clients wait for their CONNACK, and a process that ends for its last call. */
const patienceMs = 10_000;
/** Sessions, and cursors, of one call, about: some hundred KB. */
const mostAtOnce = 1000;

/** The sessions of MQTT clients for a gateway without a Store: the realtime service keeps them. */
export class RemoteSessions implements SessionStore {
  readonly #channel: ServiceChannel;

  constructor(channel: ServiceChannel) {
    this.#channel = channel;
  }

  async take(wish: SessionWish): Promise<TakenSession> {
    const { epoch, stored } = await this.#call(method.takeSession, wish);
    if (!stored) return { epoch, stored: undefined };
    const { subscriptions, places, settledAt } = stored;
    return { epoch, stored: { subscriptions: subscriptionsOf(subscriptions), cursors: cursorsOf(places), settledAt } };
  }

  async subscribe(held: HeldSession, subscriptions: readonly StoredSubscription[], endedRoomIds: readonly string[]): Promise<boolean> {
    const request = { held, subscriptions: [...subscriptions], endedRoomIds: [...endedRoomIds] };
    return (await this.#call(method.storeSubscriptions, request)).held;
  }

  async save(states: readonly SessionState[]): Promise<readonly boolean[]> {
    const areHeld: boolean[] = [];
    for (const batch of batchesOf(states)) {
      const { held } = await this.#call(method.saveSessions, { sessions: batch.map(messageOf) });
      areHeld.push(...held);
    }
    return areHeld;
  }

  async leave(state: SessionState, keptSeconds: number): Promise<void> {
    await this.#call(method.leaveSession, { session: messageOf(state), keptSeconds });
  }

  async #call<M extends DescMethod>(asked: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>> {
    const call: Call = { requestId: newId(), protocol: "internal", address: "", deadline: Date.now() + patienceMs };
    return (await this.#channel.call(asked, create(asked.input, request), call)) as MessageShape<M["output"]>;
  }
}

function batchesOf(states: readonly SessionState[]): SessionState[][] {
  const batches: SessionState[][] = [];
  let size = mostAtOnce;
  for (const state of states) {
    if (size >= mostAtOnce) {
      batches.push([]);
      size = 0;
    }
    batches.at(-1)?.push(state);
    size += 1 + state.cursors.size;
  }
  return batches;
}
