/** The faulty proxy has the faults it says it has; else the tests behind it would prove nothing. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { badGateway, captivePortal, FaultyProxy } from "../proxies/faulty.mjs";

const LIMIT = { timeout: 20_000 };

let upstream;
let address;
let came;
let proxy;

before(async () => {
  upstream = http.createServer(answer);
  upstream.on("upgrade", (request, socket) => {
    socket.on("error", () => undefined);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n");
    socket.pipe(socket);
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  address = `http://127.0.0.1:${upstream.address().port}`;
});

beforeEach(() => (came = []));
afterEach(() => proxy.close());

after(() => {
  upstream.closeAllConnections();
  upstream.close();
});

/** Echoes; `/slow` begins at once and ends when the test says. */
async function answer(request, response) {
  let body = "";
  for await (const chunk of request) {
    body += chunk;
  }
  came.push({ line: `${request.method} ${request.url} ${request.httpVersion}`, body, request });
  upstream.emit("came");
  if (request.url === "/slow") {
    response.write("first");
    request.finish = () => response.end("last");
    return;
  }
  response.end(`${request.method}:${body}`);
}

async function start(faults) {
  proxy = await FaultyProxy.start(address, faults);
  return proxy;
}

/** The first bytes that come on a connection on which a handshake was sent. */
async function handshake() {
  const socket = net.connect(new URL(proxy.url).port, "127.0.0.1");
  socket.write("GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  return socket;
}

test("without a fault everything passes, and is counted", LIMIT, async () => {
  await start({ answer: () => undefined });
  const response = await fetch(`${proxy.url}/a?b=c`, { method: "POST", body: "x".repeat(100_000) });
  assert.equal((await response.text()).length, 100_005);
  assert.deepEqual(came.map(({ line }) => line), ["POST /a?b=c 1.1"]);
  assert.deepEqual(proxy.requests, ["POST /a"]);
  const { connections, up, down, cuts } = proxy.counts;
  assert.deepEqual([connections, up > 100_000, down > 100_000, cuts], [1, true, true, 0]);
  const socket = await handshake();
  assert.match(String((await once(socket, "data"))[0]), /101 Switching/);
  socket.write("echo");
  assert.equal(String((await once(socket, "data"))[0]), "echo");
  socket.destroy();
});

test("a stream passes as it comes, or buffered when it has ended", LIMIT, async () => {
  await start({ answer: () => undefined });
  const reader = (await fetch(`${proxy.url}/slow`)).body.getReader();
  assert.equal(String(Buffer.from((await reader.read()).value)), "first");
  came[0].request.finish();
  await proxy.close();
  await start({ buffered: true });
  let arrived = false;
  const late = fetch(`${proxy.url}/slow`).then((response) => ((arrived = true), response.text()));
  while (came.length < 2) {
    await once(upstream, "came");
  }
  // Time enough for the head, if it were let through.
  await fetch(`${proxy.url}/other`);
  assert.equal(arrived, false);
  came[1].request.finish();
  assert.equal(await late, "firstlast");
});

test("a handshake becomes an ordinary GET, or is never answered", LIMIT, async () => {
  await start({ noUpgrade: true });
  const stripped = await handshake();
  assert.match(String((await once(stripped, "data"))[0]), /^HTTP\/1.1 200/);
  assert.deepEqual(Object.keys(came[0].request.headers).includes("upgrade"), false);
  stripped.destroy();
  await proxy.close();
  await start({ silentWebSocket: true });
  const socket = await handshake();
  const heard = [];
  socket.on("data", (chunk) => heard.push(chunk));
  assert.equal(await (await fetch(proxy.url)).text(), "GET:");
  assert.deepEqual([heard, proxy.requests], [[], ["GET /ws", "GET /"]]);
  socket.destroy();
});

test("it answers by itself, as long as it is told to", LIMIT, async () => {
  await start({ answer: ({ url }) => (url === "/no" ? badGateway() : undefined) });
  const refused = await fetch(`${proxy.url}/no`);
  assert.deepEqual([refused.status, refused.headers.get("content-type")], [502, "text/html"]);
  assert.equal(await (await fetch(`${proxy.url}/yes`)).text(), "GET:");
  proxy.answer = captivePortal;
  assert.match(await (await fetch(`${proxy.url}/yes`)).text(), /Welcome/);
  assert.match(String((await once(await handshake(), "data"))[0]), /^HTTP\/1.1 200 OK/);
  proxy.answer = undefined;
  assert.equal(await (await fetch(`${proxy.url}/no`)).text(), "GET:");
});

test("every POST is sent twice, a GET once", LIMIT, async () => {
  await start({ repeatPosts: true });
  const response = await fetch(`${proxy.url}/p`, { method: "POST", body: "one" });
  assert.equal(await response.text(), "POST:one");
  await fetch(`${proxy.url}/g`);
  assert.deepEqual(came.map(({ line }) => line), ["POST /p 1.1", "POST /p 1.1", "GET /g 1.1"]);
  assert.deepEqual(came.map(({ body }) => body), ["one", "one", ""]);
});

test("it speaks HTTP/1.0 to the server", LIMIT, async () => {
  await start({ http10: true });
  const response = await fetch(`${proxy.url}/old`, { method: "POST", body: "body" });
  assert.equal(await response.text(), "POST:body");
  assert.equal(came[0].line, "POST /old 1.0");
});

test("every connection is cut after its time, or at once", LIMIT, async () => {
  await start({ cutAfter: 50 });
  const cut = once(proxy, "cut");
  await assert.rejects(fetch(`${proxy.url}/slow`).then((response) => response.text()));
  await cut;
  assert.equal(proxy.counts.cuts, 1);
  await proxy.close();
  await start();
  const response = await fetch(`${proxy.url}/slow`);
  proxy.cut();
  await assert.rejects(response.text());
});

test("bytes come one by one, all of them and in order", LIMIT, async () => {
  await start({ oneByte: true });
  const socket = net.connect(new URL(proxy.url).port, "127.0.0.1");
  const body = "0123456789".repeat(20);
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200\r\nconnection: close\r\n\r\n${body}`);
  const chunks = [];
  for await (const chunk of socket) {
    chunks.push(chunk);
  }
  assert.ok(Buffer.concat(chunks).toString().includes(`POST:${body}`));
  // The system may put a few together on a busy machine.
  assert.ok(chunks.length > 50, `${chunks.length} pieces`);
});

test("a delay is counted for the opening and each way", LIMIT, async () => {
  await start({ delay: 50 });
  const began = performance.now();
  await (await fetch(proxy.url)).text();
  const took = performance.now() - began;
  assert.ok(took >= 199, `${took} ms`);
});

test("it falls silent after so many bytes and stays open", LIMIT, async () => {
  await start({ silentAfter: 1_000, answer: () => undefined });
  const socket = net.connect(new URL(proxy.url).port, "127.0.0.1");
  let ended = false;
  socket.on("close", () => (ended = true));
  const ask = (body) =>
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  ask("short");
  assert.match(String((await once(socket, "data"))[0]), /POST:short/);
  const heard = [];
  socket.on("data", (chunk) => heard.push(chunk));
  ask("x".repeat(1_000));
  while (came.length < 2) {
    await once(upstream, "came");
  }
  // Another connection is not silent yet, and what it hears the first would have heard before.
  await (await fetch(proxy.url)).text();
  assert.deepEqual([heard.length, ended], [0, false]);
  socket.destroy();
});
