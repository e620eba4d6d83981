/** Bare `ws`: the messages of one turn of the event loop go to each member in one frame. */
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
let gathered: Buffer[] = [];

function flush(): void {
  const frame = Buffer.concat(gathered);
  gathered = [];
  for (const member of server.clients) member.send(frame, { binary: false });
}

server.on("connection", (member) => {
  member.on("message", (text: Buffer) => {
    if (gathered.length === 0) setImmediate(flush);
    gathered.push(text);
  });
});
