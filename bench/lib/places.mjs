/** Where things are in this repository. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder bench/. */
export const bench = dirname(dirname(fileURLToPath(import.meta.url)));
/** The repository. */
export const root = dirname(bench);
/** What was measured last: the source of the document. */
export const latest = join(bench, "results/latest.json");
/** The document that is made of it. */
export const document = join(root, "docs/performance.md");
/** Where its plots are. */
export const plots = join(root, "docs/performance");
/** The same of several nodes. */
export const clusterResults = join(bench, "results/cluster.json");
/** And their document. */
export const clusterDocument = join(root, "docs/performance-cluster.md");
/** What storms came to. */
export const stormResults = join(bench, "results/storm.json");
/** Their document, and where its plots are. */
export const stormDocument = join(root, "docs/draining.md");
export const stormPlots = join(root, "docs/draining");
