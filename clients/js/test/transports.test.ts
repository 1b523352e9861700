/** The transports by themselves: what counts as an answer, what is sent again, what is cut. */

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import type { Closed, Transport, TransportEvents } from "../src/transport.js";
import { again } from "../src/transport/again.js";
import { AnswerError } from "../src/transport/answer.js";
import { Lines } from "../src/transport/lines.js";
import { PollTransport } from "../src/transport/poll.js";
import { SseTransport } from "../src/transport/sse.js";
import { StreamTransport } from "../src/transport/stream.js";
import { Uplink } from "../src/transport/uplink.js";
import { connected } from "./world.js";

const LINES = "application/x-ndjson";
const noPause = () => Promise.resolve();

const turn = () => new Promise((resolve) => setImmediate(resolve));

function answer(status: number, body: string | null = null, type = "text/html"): Response {
  return new Response(body, { status, headers: body === null ? {} : { "content-type": type } });
}

const REFUSAL = JSON.stringify({ code: 1009, name: "unknown_session", message: "no" });
/** What is no answer of the server, wherever it comes instead of one. */
const FOREIGN: [string, () => Response][] = [
  ["a portal's page", () => answer(200, "<html>")],
  ["a proxy's page", () => answer(502, "<html>")],
  ["a proxy's JSON", () => answer(503, '{"error":"down"}', "application/json")],
  ["a refusal by a proxy", () => answer(403, "no")],
];

test("an uplink sends what failed again as it stands, and only then the next", async () => {
  for (const [what, foreign] of [...FOREIGN, ["a lost answer", () => undefined] as const]) {
    const bodies: string[] = [];
    let failures = 2;
    const done = new Promise<void>((resolve) => {
      const uplink = new Uplink(
        async (body) => {
          bodies.push(body);
          if (failures-- > 0) {
            const bad = foreign();
            throw bad === undefined
              ? new TypeError("fetch failed")
              : new AnswerError({ code: 0, name: "http_status", message: what }, true);
          }
          if (body === "b\nc") {
            resolve();
          }
        },
        (error) => assert.fail(String(error)),
        { pause: noPause },
      );
      uplink.open(100);
      ["a", "b", "c"].forEach((frame) => uplink.send(frame));
    });
    await done;
    assert.deepEqual(bodies, ["a", "a", "a", "b\nc"], what);
  }
});

test("an uplink gives up in the end, once, and at once when the server refuses", async () => {
  const refused = new AnswerError({ code: 1009, name: "unknown_session", message: "" }, false);
  for (const [error, tries] of [
    [new TypeError("fetch failed"), 5],
    [refused, 1],
  ] as const) {
    let posts = 0;
    const failed = await new Promise((resolve) => {
      const post = async () => {
        posts += 1;
        throw error;
      };
      const uplink = new Uplink(post, resolve, { pause: noPause });
      uplink.send("a");
      uplink.open(100);
      uplink.send("b");
    });
    assert.equal(failed, error);
    assert.equal(posts, tries);
  }
});

test("pauses between tries grow and are random; a try has its limit", async () => {
  const pauses: number[] = [];
  const pause = async (ms: number) => void pauses.push(ms);
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  const options = { tries: 5, limit: 1, pause, random: () => 0.5 };
  await assert.rejects(again(new AbortController().signal, options, never), /in time/);
  assert.deepEqual(pauses, [150, 250, 450, 850]);
});

test("lines are read the same however they are cut", () => {
  const bytes = new TextEncoder().encode('{"a":"é€😀"}\n\n\r\n{"b":1}\r\n{"unfinished"');
  for (let size = 1; size <= bytes.length; size++) {
    const told: string[] = [];
    const lines = new Lines((line) => told.push(line), 100);
    for (let at = 0; at < bytes.length; at += size) {
      lines.push(bytes.subarray(at, at + size));
    }
    assert.deepEqual(told, ['{"a":"é€😀"}', "", "", '{"b":1}'], `pieces of ${size}`);
  }
});

test("a line that never ends is refused", () => {
  const lines = new Lines(() => undefined, 20);
  assert.throws(() => {
    for (let i = 0; i < 30; i++) {
      lines.push(new Uint8Array([120]));
    }
  }, RangeError);
});

/** What was told of a transport, and its end. */
class Told implements TransportEvents {
  frames: unknown[] = [];
  alive = 0;
  bytes = [0, 0];
  transport: Transport | undefined;
  readonly closed: Promise<Closed>;
  onclose!: (closed: Closed) => void;

  constructor() {
    this.closed = new Promise((resolve) => (this.onclose = resolve));
  }

  onopen(): void {
    assert.fail("the first frame went with the opening");
  }

  onframe(frame: unknown): void {
    this.frames.push(frame);
    this.transport?.handleConnected(connected(0, { session: "s 1", ping: 2_000, pong: 500 }));
  }

  onalive(): void {
    this.alive += 1;
  }

  ontraffic(up: number, down: number): void {
    this.bytes = [(this.bytes[0] ?? 0) + up, (this.bytes[1] ?? 0) + down];
  }
}

const WAYS = { sse: SseTransport, stream: StreamTransport, poll: PollTransport };

for (const [name, Way] of Object.entries(WAYS)) {
  test(`${name}: what did not come from the server is no success`, async () => {
    for (const [what, foreign] of FOREIGN) {
      const told = new Told();
      new Way(async () => foreign(), "http://h", "first", told);
      const { refused } = await told.closed;
      assert.equal(refused?.name, "http_status", what);
      assert.equal(refused?.temporary, true, what);
      assert.deepEqual(told.frames, [], what);
    }
  });

  test(`${name}: a refusal by the server is told`, async () => {
    const told = new Told();
    new Way(async () => answer(404, REFUSAL, "application/json"), "http://h", "first", told);
    assert.equal((await told.closed).refused?.code, 1009);
  });
}

test("stream: frames, signs of life and bytes are told, and the end", async () => {
  const told = new Told();
  const requests: unknown[] = [];
  const body = '\n{"é":1}\n\n{"b":2}\n';
  const fetch = async (url: unknown, init?: RequestInit) => {
    requests.push([url, init?.method, init?.body]);
    return answer(200, body, `${LINES}; charset=utf-8`);
  };
  told.transport = new StreamTransport(fetch, "http://h", "grüße", told);
  assert.equal((await told.closed).reason, "The stream has ended.");
  assert.deepEqual(requests, [
    ["http://h/v1/stream?protocol=martlet.v1.json&limit=0", "POST", "grüße"],
  ]);
  assert.deepEqual(told.frames, ['{"é":1}', '{"b":2}']);
  assert.equal(told.alive, 2);
  assert.deepEqual(told.bytes, [7, Buffer.byteLength(body)]);
});

/** Lets the time of timers fly. */
function hurry(context: TestContext): void {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const pump = setInterval(() => context.mock.timers.tick(1_000), 1);
  context.after(() => clearInterval(pump));
}

/** Answers polls from a list; "cut" is an answer that broke off. */
async function poll(answers: (() => Response | Promise<Response>)[]) {
  const told = new Told();
  const urls: string[] = [];
  const fetch = async (url: unknown) => {
    urls.push(String(url).replace("http://h/v1/", ""));
    const next = answers.shift();
    return next === undefined ? answer(404, REFUSAL, "application/json") : next();
  };
  told.transport = new PollTransport(fetch, "http://h", "first", told);
  const closed = await told.closed;
  return { frames: told.frames, urls, closed, alive: told.alive };
}

const batch = (number: number, ...lines: string[]) =>
  answer(200, [...lines, `{"batch":${number}}`, ""].join("\n"), LINES);

test("poll: each poll names the last batch, until the session is unknown", async () => {
  const answers = [() => batch(1, "a", "b"), () => answer(204), () => batch(2, "c")];
  const { frames, urls, closed, alive } = await poll(answers);
  assert.deepEqual(frames, ["a\nb", "c"]);
  assert.deepEqual(urls, [
    "poll?protocol=martlet.v1.json",
    "poll?session=s%201&batch=1&wait=1",
    "poll?session=s%201&batch=1&wait=1",
    "poll?session=s%201&batch=2&wait=1",
  ]);
  assert.equal(alive, 5, "three answers, and two that had something in them");
  assert.equal(closed.refused?.code, 1009);
});

test("poll: what was lost or cut off is asked for again, and taken once", async (context) => {
  hurry(context);
  const failed = () => Promise.reject(new TypeError("fetch failed"));
  const cut = () => answer(200, 'b\n{"bat', LINES);
  const answers = [() => batch(1, "a"), failed, cut, () => batch(2, "b"), () => batch(2, "b")];
  const { frames, urls } = await poll(answers);
  assert.deepEqual(frames, ["a", "b"]);
  assert.deepEqual(
    urls.slice(1).map((url) => /batch=(\d)/.exec(url)?.[1]),
    ["1", "1", "1", "2", "2"],
  );
});

test("poll: a server that no poll reaches any more is left", async (context) => {
  hurry(context);
  const page = () => answer(200, "<html>");
  const { urls, closed } = await poll([() => batch(1, "a"), page, page, page, page, page]);
  assert.equal(urls.length, 5);
  assert.equal(closed.refused?.name, "http_status");
});

test("poll: a long answer on a slow network arrives, however long it takes", async (context) => {
  hurry(context);
  const bytes = new TextEncoder().encode('"long 😀"\n{"batch":2}\n');
  let at = 0;
  const slow = new ReadableStream({
    pull: (controller) =>
      new Promise((resolve) => {
        setTimeout(() => {
          at < bytes.length ? controller.enqueue(bytes.subarray(at, ++at)) : controller.close();
          resolve();
        }, 2_000);
      }),
  });
  const answers = [
    () => batch(1, "a"),
    () => new Response(slow, { status: 200, headers: { "content-type": LINES } }),
  ];
  const { frames, urls } = await poll(answers);
  assert.deepEqual(frames, ["a", '"long 😀"']);
  assert.equal(urls.length, 3, "asked for once");
});

test("poll: an answer that does not come is asked for again", async (context) => {
  hurry(context);
  const told = new Told();
  let polls = 0;
  const fetch = (_: unknown, init?: RequestInit) => {
    polls += 1;
    if (polls === 2) {
      return new Promise<Response>((_resolve, reject) => {
        init?.signal?.addEventListener("abort", () => reject(new Error("late")));
      });
    }
    const last = () => answer(404, REFUSAL, "application/json");
    return Promise.resolve(polls === 1 ? batch(1, "a") : polls === 3 ? batch(2, "b") : last());
  };
  told.transport = new PollTransport(fetch as typeof globalThis.fetch, "http://h", "x", told);
  await told.closed;
  assert.deepEqual(told.frames, ["a", "b"]);
});

test("who goes for good says so, is heard, and then ends", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  for (const Way of Object.values(WAYS)) {
    const asked: [method: string, url: string, keepalive: boolean][] = [];
    let hear!: () => void;
    const ends: string[] = [];
    const fetch = (url: unknown, { method = "", keepalive = false, signal }: RequestInit = {}) => {
      asked.push([method, String(url), keepalive]);
      signal?.addEventListener("abort", () => ends.push(String(url)));
      return new Promise<Response>((resolve, reject) => {
        hear = () => resolve(answer(204));
        signal?.addEventListener("abort", () => reject(new Error("aborted")));
      });
    };
    const begin = () => new Way(fetch as typeof globalThis.fetch, "http://a", "{}", new Told());
    const nobody = begin();
    nobody.leave();
    await turn();
    assert.deepEqual([asked.length, ends.length], [1, 0], "a session may yet begin");
    context.mock.timers.tick(5_000);
    await turn();
    assert.deepEqual([asked.splice(0).length, ends.splice(0).length], [1, 1]);

    for (const early of [false, true]) {
      const transport = begin();
      const name = () => transport.handleConnected(connected(0, { session: "k 1" }));
      const [first, second] = [name, () => transport.leave()];
      early ? (second(), first()) : (first(), second());
      assert.deepEqual(asked[1], ["POST", "http://a/v1/send?session=k%201&leave=true", true]);
      await turn();
      assert.deepEqual(ends, [], "the server must hear it first");
      hear();
      await turn();
      assert.deepEqual(ends.splice(0), [asked.splice(0)[0]?.[1]]);
    }
  }
});
