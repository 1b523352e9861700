/** What the route wants done. */

import type { Closed, TransportName } from "../transport.js";

/** How a way introduces itself to the server. */
export type Hello =
  /** With the `connect` of the session that is beginning or coming back. */
  | "first"
  /** As the same live session, with its current positions. */
  | "move"
  /** As nobody in particular, to see whether anything comes back. */
  | "probe";

/** Why another transport carries the session now. */
export type Why =
  /** The first one. */
  | "first"
  /** It serves better than the one before. */
  | "better"
  /** The one before was lost. */
  | "lost";

/** Something for the route's owner to do. */
export type RouteOutput =
  /** Open a transport. One that is not a WebSocket says its hello with that. */
  | {
      readonly do: "open";
      readonly way: number;
      readonly name: TransportName;
      readonly hello: Hello;
    }
  /** Say hello over a WebSocket that is open. */
  | { readonly do: "speak"; readonly way: number; readonly hello: Hello }
  /** This way carries the session from now on: its events count, beginning with `connected`. */
  | { readonly do: "carry"; readonly way: number; readonly why: Why }
  /** Close a transport. */
  | { readonly do: "drop"; readonly way: number; readonly reason: string }
  /** No way is left. */
  | { readonly do: "fail"; readonly closed: Closed };
