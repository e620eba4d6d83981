// The text of a deleted message is gone from everywhere, whatever happened to it at the same moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { grpcDriver } from "../support/drivers/grpc.ts";
import { newName } from "../support/party.ts";
import { onEveryEngine, running } from "../support/running.ts";

const { sendMessage, editMessage, deleteMessage, listEvents } = MessagesService.method;

onEveryEngine("deleted text", (engine) => {
  test("an edit that is stored together with the deletion leaves nothing behind", async () => {
    await using server = await running(engine);
    const ada = await grpcDriver(server.port).signUp(newName());
    const { room } = await ada.call(RoomsService.method.createRoom, { name: "x" });
    const roomId = room?.id ?? "";
    const sent = await Promise.all(Array.from({ length: 10 }, (_, i) => ada.call(sendMessage, { roomId, text: `first ${i}` })));
    // All at once, so that they share transactions.
    await Promise.all(
      sent.flatMap(({ message }) => {
        const messageId = message?.id ?? "";
        return [ada.call(editMessage, { roomId, messageId, text: "regretted" }), ada.call(deleteMessage, { roomId, messageId })];
      }),
    );
    const { events } = await ada.call(listEvents, { roomId });
    assert.equal(events.filter(({ kind }) => kind.case === "messageDeleted").length, 10);
    const texts = events.flatMap(({ kind }) => {
      if (kind.case === "messageSent") return [kind.value.message?.text];
      return kind.case === "messageEdited" ? [kind.value.text] : [];
    });
    assert.deepEqual(new Set(texts), new Set([""]));
    ada.close();
  });
});
