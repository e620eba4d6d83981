import assert from "node:assert/strict";
import { it } from "node:test";
import { newId } from "../../src/domain/ids.ts";
import { deleteExpiredMqttSessions, mqttCursors } from "../../src/store/mqtt-sessions.ts";
import { onEveryDatabase } from "../support/databases.ts";

onEveryDatabase("MQTT sessions in the store", (current) => {
  it("go with their cursors when they are over, whether or not their person comes back", async () => {
    const { store } = current();
    const userId = newId();
    const account = {
      display_name: "Somebody",
      role: 3,
      password_hash: "",
      bio: "",
      avatar_url: "",
      deactivated_at: null,
      last_seen_at: null,
    };
    await store
      .insertInto("users")
      .values({ id: userId, username: "somebody", created_at: new Date(), ...account })
      .execute();
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const [client_id, expiry_seconds, left_at] of [
      ["over", 60, hourAgo],
      ["kept", 7200, hourAgo],
      ["crashed", 60, null],
      ["here", 60, null],
    ] as const) {
      const seen_at = client_id === "here" ? new Date() : hourAgo;
      const row = { user_id: userId, client_id, epoch: 1, subscriptions: "[]", expiry_seconds, settled_at: hourAgo, seen_at, left_at };
      await store.insertInto("mqtt_sessions").values(row).execute();
      await store.insertInto("mqtt_cursors").values({ user_id: userId, client_id, room_id: newId(), acked_seq: 1, sent_seq: 1 }).execute();
    }
    await deleteExpiredMqttSessions(store, 1);
    assert.equal((await store.selectFrom("mqtt_sessions").select("client_id").execute()).length, 3);
    await deleteExpiredMqttSessions(store, 10);
    const left = await store.selectFrom("mqtt_sessions").select("client_id").orderBy("client_id").execute();
    assert.deepEqual(
      left.map((row) => row.client_id),
      ["here", "kept"],
    );
    assert.deepEqual(await mqttCursors(store, userId, "over"), []);
  });
});
