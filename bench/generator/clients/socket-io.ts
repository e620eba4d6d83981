import type { Door } from "../protocol.ts";
import { TEXT } from "../text.ts";
import { countingProtocol } from "./counting.ts";
import { clientFrame, WebSocketLink } from "./websocket.ts";

/** Engine.IO "message", Socket.IO "connect to the main namespace". */
const CONNECT = clientFrame(Buffer.from("40"), 1);
/** Engine.IO "message", Socket.IO "event". */
const MESSAGE = clientFrame(Buffer.from(`42${JSON.stringify(["message", TEXT])}`), 1);

/** Socket.IO 4 over its WebSocket transport. */
export const socketIo = countingProtocol(join, MESSAGE);

/** Connects, and waits for the event by which the server says that it has put this client into the room. */
async function join(door: Door): Promise<WebSocketLink> {
  const link = await WebSocketLink.open(door.port, { path: "/socket.io/?EIO=4&transport=websocket" });
  await new Promise<void>((resolve) => {
    link.readWhole((packet) => {
      const text = packet.toString();
      if (text.startsWith("0")) link.write(CONNECT);
      if (text === '42["joined"]') resolve();
    });
  });
  return link;
}
