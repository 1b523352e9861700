/**
 * What a publication costs in the history of a channel: a server is started, its memory looked at, and looked at again
 * when the histories are full. Nobody follows the channels, so nothing else is kept.
 */
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { end, freePort, listens, memoryOf, start } from "./processes.mjs";

const channels = 10;
const batch = 1000;

/** Measures it: bytes of the server's own memory for each publication kept. */
export async function measureHistory(martlet, { publications, payload }, { cores }) {
  const port = await freePort();
  const size = publications / channels;
  const key = randomBytes(32).toString("hex");
  const args = ["serve", ...settings({ port, key, size: publications / channels }).flatMap((set) => ["--set", set])];
  const server = start(martlet, args, { name: "martlet", cores });
  try {
    await listens(port, server);
    return await fill({ port, key, pid: server.pid, publications, payload });
  } finally {
    await end(server);
  }
}

/** One worker, so that one store has all channels; and no limit that a history as long as this would meet. */
function settings({ port, key, size }) {
  const channel = `{ history_size = ${size}, history_age = "1h" }`;
  return [
    `server.listen=["127.0.0.1:${port}"]`,
    "server.workers=1",
    "limits.history_bytes=4GiB",
    `channels.default=${channel}`,
    `channels.unnamed=${channel}`,
    "api.keys.0.name=bench",
    `api.keys.0.sha256=${createHash("sha256").update(key).digest("hex")}`,
    "api.keys.0.scopes=all",
  ];
}

/** The first histories are those of channels that are not counted: what a server allots once is not a publication's. */
async function fill({ pid, publications, payload, ...server }) {
  await publish({ ...server, prefix: "first", publications: batch, payload });
  const before = await settled(pid);
  await publish({ ...server, prefix: "history", publications, payload });
  const after = await settled(pid);
  return { publications, payload, channels, bytes_per_publication: (after - before) / publications };
}

async function publish({ port, key, prefix, publications, payload }) {
  for (let done = 0; done < publications; done += batch) {
    const channel = `${prefix}-${(done / batch) % channels}`;
    const line = JSON.stringify({ channel, data: "x".repeat(payload - 2) });
    const body = `{"publish":[${Array(batch).fill(line).join(",")}]}`;
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/batch`, { method: "POST", headers, body });
    const { results } = await answer.json();
    const refused = results?.find(({ error }) => error !== undefined);
    if (!answer.ok || refused) throw new Error(`publishing was refused: ${JSON.stringify(refused ?? answer.status)}`);
  }
}

/** The memory of a server that has nothing to do any more. */
async function settled(pid) {
  await sleep(500);
  return memoryOf(pid);
}
