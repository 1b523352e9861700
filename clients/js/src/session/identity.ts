/**
 * Who the client is: the token it begins with, the grant it comes back with, and when the next
 * token is due. Decides what `connect` carries; fetches nothing by itself.
 */

import { codes } from "../codes.js";
import type { Connect, Connected, Subscribe } from "../wire.js";
import { refreshTime } from "./token.js";

/** Refusals of a grant: the way back is with a token. */
const GRANT_REFUSED = new Set<number>([codes.grant_invalid, codes.grant_expired]);
/** Refusals that a newer token may mend. */
const TOKEN_REFUSED = new Set<number>([
  codes.token_missing,
  codes.token_invalid,
  codes.token_expired,
]);

/** The client's credentials. */
export class Identity {
  #token: string | undefined;
  #grant: string | undefined;
  #session: string | undefined;
  readonly #fetches: boolean;
  #fresh = false;
  #expires: number | undefined;
  /** When a newer token is to be fetched for the connection that lives; `Infinity` for never. */
  refreshAt = Infinity;

  /** `fetches` says whether the application can be asked for tokens. */
  constructor(token: string | undefined, fetches: boolean) {
    this.#token = token;
    this.#fetches = fetches;
  }

  /** Whether a token must be fetched before the client can connect. */
  get wantsToken(): boolean {
    return this.#fetches && !this.#fresh && this.#grant === undefined && this.#token === undefined;
  }

  /** Whether the client comes back with a grant. */
  get hasGrant(): boolean {
    return this.#grant !== undefined;
  }

  /** What `connect` carries for these channels. */
  connect(agent: string, subscribe: Subscribe[]): Connect {
    return { ...this.#credentials, agent, ...(subscribe.length === 0 ? {} : { subscribe }) };
  }

  /** What `connect` carries that leaves the session where it is, and follows nothing. */
  probe(agent: string): Connect {
    const { session: _, ...credentials } = this.#credentials;
    return { ...credentials, agent };
  }

  /** A grant stands in for the token. */
  get #credentials(): Connect {
    if (this.#grant === undefined) {
      return this.#token === undefined ? {} : { token: this.#token };
    }
    const session = this.#session === undefined ? {} : { session: this.#session };
    return { grant: this.#grant, ...session };
  }

  /** The application's answer; `undefined` is an anonymous client. */
  handleToken(token: string | undefined): void {
    this.#token = token;
    this.#fresh = true;
  }

  /** The server took the credentials. */
  handleConnected(now: number, connected: Connected): void {
    this.#grant = connected.grant;
    this.#session = connected.session;
    this.#fresh = false;
    this.handleExpires(now, connected.time, connected.expires);
  }

  /** A newer grant. */
  handleGrant(grant: string): void {
    this.#grant = grant;
  }

  /** The time until which the newest token is good. `serverNow` is the server's clock at `now`. */
  handleExpires(now: number, serverNow: number, expires: number | undefined): void {
    this.#expires = expires === undefined ? undefined : now + (expires - serverNow);
    const refreshes = this.#fetches && this.#expires !== undefined;
    this.refreshAt = refreshes ? refreshTime(now, this.#expires ?? Infinity) : Infinity;
  }

  /** Fetching failed: try again in a while, as long as it can help. */
  handleFetchFailed(now: number, wait: number): void {
    const expires = this.#expires ?? -Infinity;
    this.refreshAt = now + wait < expires ? now + wait : Infinity;
  }

  /** `connect` was refused. Returns whether there is something else to try with. */
  handleRefused(code: number): boolean {
    if (this.#grant !== undefined && (GRANT_REFUSED.has(code) || TOKEN_REFUSED.has(code))) {
      this.handleExpired();
      return true;
    }
    const mends = this.#fetches && !this.#fresh && TOKEN_REFUSED.has(code);
    if (mends) {
      this.handleExpired();
    }
    return mends;
  }

  /** What the client had is worth nothing any more. */
  handleExpired(): void {
    this.#grant = undefined;
    this.#session = undefined;
    this.#fresh = false;
    this.refreshAt = Infinity;
    if (this.#fetches) {
      this.#token = undefined;
    }
  }
}
