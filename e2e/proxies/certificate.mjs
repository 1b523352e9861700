/** A certificate for this machine that nobody trusts, as PEM. */

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Makes `certificate.pem`, `key.pem` and both in `both.pem` in `folder`; gives their paths. */
export async function certificate(folder) {
  const [cert, key, both] = ["certificate", "key", "both"].map((name) => join(folder, `${name}.pem`));
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert]);
  await writeFile(both, (await readFile(cert, "utf8")) + (await readFile(key, "utf8")));
  return { cert, key, both };
}
