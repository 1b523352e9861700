/**
 * What is known of the networks the client was in: which transports worked there, which did not,
 * and how long connecting took. Everything is forgotten in time, failures soonest, so nothing pins
 * anybody for ever. Kept where the application lets it be kept; pure apart from that.
 */

import type { TransportName } from "../transport.js";

/** Where to keep it: a part of the browser's `Storage`. It may throw, and may forget. */
export interface NetworkStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** What is known of a transport. */
export type Standing = "works" | "fails" | "unknown";

const WORKS_FOR = 24 * 3_600_000;
const FAILS_FOR = 10 * 60_000;
const KEY = "martlet:networks";
/** How many networks are remembered. */
const NETWORKS_MAX = 16;

interface Entry {
  worked?: number;
  failed?: number;
}

interface Network {
  used: number;
  /** Milliseconds from opening a transport until the server said `connected`. */
  took?: number;
  transports: Partial<Record<TransportName, Entry>>;
}

type Networks = Record<string, Network>;

/** The memory of one client. */
export class Memory {
  readonly #storage: NetworkStorage;
  readonly #network: () => string;

  /** `network` names the network the client is in right now. */
  constructor(storage: NetworkStorage, network: () => string) {
    this.#storage = storage;
    this.#network = network;
  }

  /** What is known of a transport here. */
  standing(now: number, name: TransportName): Standing {
    const { worked = -Infinity, failed = -Infinity } = this.#here().transports[name] ?? {};
    if (isFresh(now, failed, FAILS_FOR)) {
      return "fails";
    }
    return isFresh(now, worked, WORKS_FOR) ? "works" : "unknown";
  }

  /** How long connecting took here, if it ever worked. */
  get took(): number | undefined {
    const { took } = this.#here();
    return typeof took === "number" && took >= 0 ? took : undefined;
  }

  /**
   * A transport carried the session `took` milliseconds after it was begun. Earlier failures count
   * no more.
   */
  handleWorked(now: number, name: TransportName, took: number): void {
    const before = this.took ?? took;
    this.#change(now, name, { worked: now }, Math.round((before * 3 + took) / 4));
  }

  /** A transport did not work where another one did. */
  handleFailed(now: number, name: TransportName): void {
    const { worked } = this.#here().transports[name] ?? {};
    this.#change(now, name, { ...(worked === undefined ? {} : { worked }), failed: now });
  }

  #here(): Network {
    return this.#read()[this.#network()] ?? { used: 0, transports: {} };
  }

  #change(now: number, name: TransportName, entry: Entry, took = this.took): void {
    const networks = this.#read();
    const transports = { ...this.#here().transports, [name]: entry };
    networks[this.#network()] = { used: now, transports, ...(took === undefined ? {} : { took }) };
    const kept = Object.entries(networks).sort(([, a], [, b]) => b.used - a.used);
    this.#write(Object.fromEntries(kept.slice(0, NETWORKS_MAX)));
  }

  /** Anything may be there, or nothing, or no access. */
  #read(): Networks {
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(KEY) ?? "{}");
      const entries = Object.entries((kept ?? {}) as Networks);
      return Object.fromEntries(entries.filter(([, network]) => isNetwork(network)));
    } catch {
      return {};
    }
  }

  #write(networks: Networks): void {
    try {
      this.#storage.setItem(KEY, JSON.stringify(networks));
    } catch {
      // A full or forbidden storage costs speed the next time, and nothing else.
    }
  }
}

/** A time that lies ahead comes of a clock that was set back, and is not believed. */
function isFresh(now: number, then: number, lasts: number): boolean {
  return then <= now && now < then + lasts;
}

function isNetwork(value: unknown): value is Network {
  const { transports } = (value ?? {}) as Partial<Network>;
  return typeof transports === "object" && transports !== null;
}

/** A storage that lasts as long as the client. */
export function storageInMemory(): NetworkStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
  };
}
