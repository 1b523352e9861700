/**
 * The smallest hub on ws, the library that most servers on Node stand on. Like bun.ts, and for the same messages.
 *
 * As https://github.com/websockets/ws#server-broadcast has it: a loop over the clients with `send`. There, too:
 * compression stays off, and `bufferutil` is installed beside it ("opt-in for performance"). `clientTracking` is off,
 * since the hub keeps its readers by channel (https://github.com/websockets/ws/blob/master/doc/ws.md). Frames that
 * are made once and written to each socket by hand are no part of its interface, and not used.
 */
import { WebSocket, WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.env.PORT),
  perMessageDeflate: false,
  clientTracking: false,
});
const channels = new Map();

function follow(socket, channel) {
  if (!channels.has(channel)) channels.set(channel, new Set());
  const readers = channels.get(channel).add(socket);
  socket.on("close", () => {
    readers.delete(socket);
    if (readers.size === 0) channels.delete(channel);
  });
  socket.send("open");
}

function publish(message) {
  const text = message.toString();
  const space = text.indexOf(" ");
  const data = text.slice(space + 1);
  for (const reader of channels.get(text.slice(0, space)) ?? []) {
    if (reader.readyState === WebSocket.OPEN) reader.send(data);
  }
}

server.on("connection", (socket, request) => {
  const channel = new URL(request.url, "http://hub").searchParams.get("channel");
  socket.on("error", console.error);
  socket.on("message", publish);
  if (channel !== null) follow(socket, channel);
});
