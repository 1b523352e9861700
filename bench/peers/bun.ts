/**
 * The smallest hub on uWebSockets, as it comes inside Bun. It has channels and nothing else: no history, no session,
 * no name of a channel in what is delivered.
 *
 * As https://bun.com/docs/runtime/http/websockets has it: topics with `subscribe` and `publish`, which its page on
 * publish-subscribe uses for a chat room. Everything else is left as it comes, and comes right: no compression
 * (`perMessageDeflate`), 16 MB of `backpressureLimit`, pings by the runtime (`sendPings`).
 */
type Reader = { channel: string | null };

const server = Bun.serve<Reader>({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, server) {
    const channel = new URL(request.url).searchParams.get("channel");
    if (server.upgrade(request, { data: { channel } })) return;
    return new Response("this speaks WebSocket", { status: 426 });
  },
  websocket: {
    open(socket) {
      if (socket.data.channel === null) return;
      socket.subscribe(socket.data.channel);
      socket.send("open");
    },
    message(_socket, message) {
      const text = String(message);
      const space = text.indexOf(" ");
      server.publish(text.slice(0, space), text.slice(space + 1));
    },
  },
});
