/** Socket.IO with one room; as it comes, but for long polling (nobody here uses it) and pings (they would only add noise). */
import { Server } from "socket.io";

const server = new Server({ transports: ["websocket"], serveClient: false, pingInterval: 3_600_000 });
server.on("connection", (socket) => {
  socket.join("room");
  socket.on("message", (text: string) => server.to("room").emit("message", text));
  socket.emit("joined");
});
server.listen(Number(process.env["PORT"]));
