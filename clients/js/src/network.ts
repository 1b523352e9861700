/** The network the client is in, as far as a program can tell, and where to remember it. */

import { storageInMemory, type NetworkStorage } from "./route/memory.js";

interface Connection {
  readonly type?: string;
}

/** A name for the way to the server at `base` right now: its origin, and the kind of network. */
export function networkTo(base: string): string {
  const { navigator } = globalThis as { navigator?: { connection?: Connection } };
  return `${new URL(base).origin} ${navigator?.connection?.type ?? ""}`.trim();
}

/** The application's storage, or the browser's, or none that outlives the client. */
export function storageFor(given: NetworkStorage | false | undefined): NetworkStorage {
  return (given === false ? undefined : (given ?? browserStorage())) ?? storageInMemory();
}

/** Only a page has one that is meant for this; and reading the property may be forbidden. */
function browserStorage(): NetworkStorage | undefined {
  const page = globalThis as { document?: unknown; localStorage?: NetworkStorage };
  try {
    return page.document === undefined ? undefined : page.localStorage;
  } catch {
    return undefined;
  }
}
