/** Two such processes are two nodes of Socket.IO with its Redis adapter; else as socket-io.ts. */
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const publisher = createClient({ url: process.env["REDIS_URL"] ?? "" });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const server = new Server({
  transports: ["websocket"],
  serveClient: false,
  pingInterval: 3_600_000,
  adapter: createAdapter(publisher, subscriber),
});
server.on("connection", async (socket) => {
  await socket.join("room");
  socket.on("message", (text: string) => server.to("room").emit("message", text));
  socket.emit("joined");
});
server.listen(Number(process.env["PORT"]));
