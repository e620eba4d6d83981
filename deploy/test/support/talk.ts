// Somebody who signs up at a server and talks over REST, WebSocket and gRPC. Prints what worked as JSON.
//
//   NODE_EXTRA_CA_CERTS=ca.crt node talk.ts https://localhost:PORT ca.crt
import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { ParlorClient, Room_Visibility } from "../../../packages/client/src/index.ts";
import { ClientFrameSchema, RealtimeService, ServerFrameSchema } from "../../../packages/contract/src/index.ts";

const [url = "", ca = ""] = process.argv.slice(2);
const same = (bytes: Buffer): Buffer => bytes;

/** The text of the first message that a gRPC stream brings to a client that begins at the first event. */
function firstByGrpc(token: string, roomId: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const client = new Client(new URL(url).host, credentials.createSsl(readFileSync(ca)));
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const stream = client.makeBidiStreamRequest(`/${RealtimeService.typeName}/Connect`, same, same, metadata);
  stream.on("error", reject).on("data", (bytes: Buffer) => {
    for (const { kind } of fromBinary(ServerFrameSchema, bytes).events) {
      if (kind.case !== "messageSent") continue;
      resolve(kind.value.message?.text ?? "");
      stream.cancel();
      client.close();
    }
  });
  const hello = create(ClientFrameSchema, { kind: { case: "hello", value: { resume: [{ roomId, seq: 1 }] } } });
  stream.write(Buffer.from(toBinary(ClientFrameSchema, hello)));
  return promise;
}

using client = new ParlorClient({ url });
await client.signUp({ username: process.argv[4] ?? "alice", password: "a red balloon" });
const { room } = await client.rooms.createRoom({ name: "kitchen", visibility: Room_Visibility.PUBLIC });
const roomId = room?.id ?? "";
const events = client.events();
await client.connect();
await client.send(roomId, "Tea is ready.");
let webSocket = "";
for await (const { kind } of events) {
  if (kind.case !== "messageSent") continue;
  webSocket = kind.value.message?.text ?? "";
  break;
}
const grpc = await firstByGrpc(client.tokens?.accessToken ?? "", roomId);
const { messages } = await client.messages.listMessages({ roomId });
const metrics = (await fetch(`${url}/metrics`)).status;
console.log(JSON.stringify({ rest: messages.map(({ text }) => text), webSocket, grpc, metrics }));
