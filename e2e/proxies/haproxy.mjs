/** HAProxy before martlet, in its mode for HTTP, configured as people do. */

import { certificate } from "./certificate.mjs";
import { ProxyProcess } from "./process.mjs";

/** Debian's own times, which leave a tunnel to that of the server. */
const ORDINARY = "timeout client 50s\n  timeout server 50s";

const text = (port, bind, upstream, timeouts) => `
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
  server one 127.0.0.1:${upstream}
`;

/**
 * Starts one before the server at `upstream`. `short` is a silence in seconds after which it gives
 * the server up and cuts tunnels; `tls: true` speaks HTTP/2 to browsers, WebSocket too.
 */
export function startHaproxy(upstream, { short, tls = false } = {}) {
  const timeouts =
    short === undefined
      ? ORDINARY
      : `timeout client 50s\n  timeout server ${short}s\n  timeout tunnel ${short}s`;
  const configure = async (port, folder) => {
    const bind = tls ? ` ssl crt ${(await certificate(folder)).both} alpn h2,http/1.1` : "";
    return text(port, bind, new URL(upstream).port, timeouts);
  };
  const args = (path) => ["-db", "-f", path];
  return ProxyProcess.start("haproxy", configure, args, tls ? "https" : "http");
}

/** A line of its log about a request or tunnel that it has cut because the server said nothing. */
export const CUT = / [cs][DH]-- /;
