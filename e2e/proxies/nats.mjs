/** A NATS server with JetStream, which keeps what it has in its folder until its end. */

import { ProxyProcess } from "./process.mjs";

const text = (port, folder) => `
listen: "127.0.0.1:${port}"
jetstream { store_dir: "${folder}" }
`;

/** Starts one; `url` is its address as martlet takes it. */
export function startNats() {
  return ProxyProcess.start("nats-server", text, (path) => ["-c", path], "nats");
}
