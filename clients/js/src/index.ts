/** Everything an application can import from `martlet`. */

export { codes } from "./codes.js";
export { CURSOR_BYTES_MAX, formatCursor, parseCursor } from "./cursor.js";
export { Emitter, type Listener } from "./emitter.js";
export { MartletError } from "./error.js";
export type { TransportChange } from "./line.js";
export { Martlet, type MartletEvents } from "./martlet.js";
export type * from "./model.js";
export type {
  GetToken,
  HistoryOptions,
  MartletOptions,
  PublishOptions,
  SubscribeOptions,
} from "./options.js";
export type { NetworkStorage } from "./route/memory.js";
export type { ChannelEvents, State } from "./session/output.js";
export { Subscription } from "./subscription.js";
export {
  Timeline,
  type Entry,
  type TimelineClient,
  type TimelineEvents,
  type TimelineOptions,
} from "./timeline.js";
export type { Bytes, Traffic } from "./traffic.js";
export type { TransportName } from "./transport.js";
export type { WebSocketClass, WebSocketLike } from "./transport/websocket.js";
export type { Codec } from "./wire.js";
