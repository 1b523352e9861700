/** nginx before martlet, configured as people do. */

import { certificate } from "./certificate.mjs";
import { ProxyProcess } from "./process.mjs";

/** As nginx's own page on WebSocket has it. */
const UPGRADE = `
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;`;

/** Each in a folder of the test's, so that no rights are needed. */
const temporary = (folder) =>
  ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join("\n");

const text = (folder, port, listen, server, upstream, location) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log ${folder}/access.log;
${temporary(folder)}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${port}${listen};
    ${server}
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_set_header Host $http_host;${location}
    }
  }
}
`;

/**
 * Starts one before the server at `upstream`. `upgrade: false` is a plain `proxy_pass`, which speaks
 * HTTP/1.0 to the server and knows no WebSocket; `tls: true` speaks HTTP/2 to browsers.
 */
export function startNginx(upstream, { upgrade = true, tls = false } = {}) {
  const configure = async (port, folder) => {
    const made = tls ? await certificate(folder) : undefined;
    const server = tls ? `ssl_certificate ${made.cert}; ssl_certificate_key ${made.key};` : "";
    const listen = tls ? " ssl http2" : "";
    const location = upgrade ? UPGRADE : "";
    return text(folder, port, listen, server, new URL(upstream).port, location);
  };
  const args = (path, folder) => ["-e", "stderr", "-p", folder, "-c", path];
  return ProxyProcess.start("nginx", configure, args, tls ? "https" : "http");
}
