/** `bench/report`: makes the documents anew of the last results, and measures nothing. */
import { readFileSync } from "node:fs";

import { writeCluster } from "./cluster.mjs";
import { latest } from "./places.mjs";
import { writeDocument } from "./report.mjs";
import { writeStorm } from "./storm.mjs";

writeDocument(JSON.parse(readFileSync(latest, "utf8")));
writeCluster();
writeStorm();
