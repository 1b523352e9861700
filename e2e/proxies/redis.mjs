/** A Redis that keeps nothing over its end. */

import { ProxyProcess } from "./process.mjs";

const text = (port, folder) => `
bind 127.0.0.1
port ${port}
dir ${folder}
save ""
`;

/** Starts one; `url` is its address as martlet takes it. */
export function startRedis() {
  return ProxyProcess.start("redis-server", text, (path) => [path], "redis");
}
