/**
 * Where the next try goes: to the address that the application gave, or to that of a node which the
 * server named when it closed. Decides that, and connects to nothing.
 */

import { addressOf } from "../address.js";
import { codes } from "../codes.js";
import type { Ending } from "./comeback.js";

/** The node itself does not want its clients back. */
const LEFT = new Set<number>([codes.shutdown, codes.busy, codes.shed]);

/** The target of one client. */
export class Target {
  readonly #home: string;
  #node: string | undefined;

  /** `home` is the address that the application gave. */
  constructor(home: string) {
    this.#home = home;
  }

  /** The address to connect to. */
  get address(): string {
    return this.#node ?? this.#home;
  }

  /**
   * A connection has ended, or a try has failed when there was none (`live`). A named node is kept
   * as long as it closes its connections properly; after anything else the application's address
   * is asked again, behind which they know who is there.
   */
  handleEnd({ code, node }: Ending, live: boolean): void {
    const keeps = live && code >= 3000 && code <= 3499 && !LEFT.has(code);
    this.#node = this.#named(node) ?? (keeps ? this.#node : undefined);
  }

  /**
   * What is no address is not followed. Nor is a way out of TLS: whoever can name a node could else
   * have the token and the grant sent in the clear.
   */
  #named(node: unknown): string | undefined {
    const address = typeof node === "string" ? addressOf(node) : undefined;
    const downgrade = this.#home.startsWith("https:") && address?.startsWith("http:") === true;
    return downgrade ? undefined : address;
  }
}
