/** Bare `ws`: each message is written to each member at once. */
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
server.on("connection", (member) => {
  member.on("message", (text) => {
    for (const other of server.clients) other.send(text, { binary: false });
  });
});
