/** The transports of the client, as the page calls them. */

import type { TransportName } from "martlet";

/** What each is called, in the client's own order of preference. */
export const TRANSPORTS: Readonly<Record<TransportName, string>> = {
  websocket: "WebSocket",
  sse: "SSE",
  stream: "HTTP stream",
  poll: "Long poll",
};

/** Offers them all, and to leave it to the client. */
export function offerTransports(select: HTMLSelectElement, chosen: TransportName | ""): void {
  const named = Object.entries(TRANSPORTS).map(([value, name]) => new Option(name, value));
  select.replaceChildren(new Option("automatic", ""), ...named);
  select.value = chosen;
}

/** What the user has chosen; all, where it is left to the client. */
export function chosenTransports({ value }: HTMLSelectElement): TransportName[] {
  const names = Object.keys(TRANSPORTS) as TransportName[];
  return value === "" ? names : names.filter((name) => name === value);
}
