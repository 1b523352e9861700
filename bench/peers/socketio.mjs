/**
 * Socket.IO with rooms, as https://socket.io/docs/v4/rooms/ has it.
 *
 * Of https://socket.io/docs/v4/performance-tuning/: `bufferutil` is installed; of
 * https://socket.io/docs/v4/memory-usage/: the first request of a session is let go. Only WebSocket, since the
 * generator begins with it, and no script for browsers (https://socket.io/docs/v4/server-options/). Another WebSocket
 * engine (`wsEngine`) is not taken: eiows is a fork that nobody gets without asking, and µWebSockets.js is not on npm.
 */
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

io.engine.on("connection", (socket) => {
  socket.request = null;
});

io.on("connection", (socket) => {
  socket.on("subscribe", (channel) => {
    socket.join(channel);
    socket.emit("subscribed");
  });
  socket.on("publish", (channel, data) => io.to(channel).emit("publication", data));
});

http.listen(Number(process.env.PORT), "127.0.0.1");
