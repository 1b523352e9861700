/** HAProxy before martlet, in its mode for HTTP, configured as people do. */

import { certificate } from "./certificate.mjs";
import { ProxyProcess } from "./process.mjs";

/** Debian's own times, which leave a tunnel to that of the server. */
const ORDINARY = "timeout client 50s\n  timeout server 50s";

/** One server is tried; of several only those that are ready, and another if one is gone. */
const servers = (ports) =>
  ports.length === 1
    ? `  server one 127.0.0.1:${ports[0]}`
    : `  balance roundrobin
  option http-no-delay
  option httpchk GET /ready
  option redispatch 1
  retries 3
  retry-on conn-failure
${ports.map((port, i) => `  server node${i} 127.0.0.1:${port} check inter 250ms`).join("\n")}`;

const text = (port, bind, upstreams, timeouts) => `
global
  log stdout format raw daemon
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  ${timeouts}
frontend in
  bind 127.0.0.1:${port}${bind}
  default_backend martlet
backend martlet
${servers(upstreams)}
`;

/**
 * Starts one before the server at `upstream`, or before several, to which it deals requests out in
 * turn. `short` is a silence in seconds after which it gives
 * the server up and cuts tunnels; `tls: true` speaks HTTP/2 to browsers, WebSocket too.
 */
export function startHaproxy(upstream, { short, tls = false } = {}) {
  const timeouts =
    short === undefined
      ? ORDINARY
      : `timeout client 50s\n  timeout server ${short}s\n  timeout tunnel ${short}s`;
  const configure = async (port, folder) => {
    const bind = tls ? ` ssl crt ${(await certificate(folder)).both} alpn h2,http/1.1` : "";
    return text(port, bind, [upstream].flat().map((url) => new URL(url).port), timeouts);
  };
  const args = (path) => ["-db", "-f", path];
  return ProxyProcess.start("haproxy", configure, args, tls ? "https" : "http");
}

/** A line of its log about a request or tunnel that it has cut because the server said nothing. */
export const CUT = / [cs][DH]-- /;
