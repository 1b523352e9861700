/** One transport as the route knows it: a record, and nothing that acts. */

import type { TransportName } from "../transport.js";
import type { Hello } from "./output.js";

/** A way to the server that is open or opening. */
export interface Way {
  readonly id: number;
  readonly name: TransportName;
  readonly hello: Hello;
  readonly since: number;
  /** Whether it said hello. */
  spoken: boolean;
  /** When an open WebSocket is to say hello, or a probe that was answered is to be moved to. */
  speakAt: number;
  /** When it carried the session first. */
  carries: number;
}
