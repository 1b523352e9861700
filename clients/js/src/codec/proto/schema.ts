/** The messages of `proto/martlet.proto` as tables, named as the JSON wire names them. */

import type { Field, Schema } from "./message.js";

const text = (number: number): Field => [number, "string", "always"];
const maybeText = (number: number): Field => [number, "string", "maybe"];
const count = (number: number): Field => [number, "number", "always"];
const maybeCount = (number: number): Field => [number, "number", "maybe"];
const flag = (number: number): Field => [number, "boolean", "always"];
const one = (number: number, schema: Schema): Field => [number, schema, "maybe"];
const many = (number: number, schema: Schema): Field => [number, schema, "list"];

const SUBSCRIBE: Schema = {
  channel: text(1),
  token: maybeText(2),
  epoch: maybeText(3),
  offset: maybeCount(4),
  since: maybeCount(5),
};

const CONNECT: Schema = {
  token: maybeText(1),
  grant: maybeText(2),
  session: maybeText(3),
  agent: maybeText(4),
  subscribe: many(5, SUBSCRIBE),
};

const PUBLISH: Schema = {
  channel: text(1),
  name: maybeText(2),
  ref: maybeText(3),
  tags: [4, "map", "maybe"],
  key: maybeText(5),
  json: maybeText(6),
  bytes: [7, "bytes", "maybe"],
};

const HISTORY: Schema = {
  channel: text(1),
  epoch: maybeText(2),
  offset: maybeCount(3),
  since: maybeCount(4),
  limit: maybeCount(5),
  reverse: flag(6),
};

const PONG: Schema = { time: maybeCount(1) };

/** What a client asks. */
export const COMMAND: Schema = {
  id: count(1),
  connect: one(2, CONNECT),
  subscribe: one(3, { channels: many(1, SUBSCRIBE) }),
  unsubscribe: one(4, { channels: [1, "string", "list"] }),
  publish: one(5, PUBLISH),
  history: one(6, HISTORY),
  presence: one(7, { channel: text(1) }),
  ping: one(8, {}),
  pong: one(9, PONG),
  refresh: one(10, { channel: maybeText(1), token: text(2) }),
};

const CONNECTED: Schema = {
  client: text(1),
  session: text(2),
  user: maybeText(3),
  resumed: flag(4),
  grant: text(5),
  expires: maybeCount(6),
  ping: count(7),
  pong: count(8),
  time: count(9),
  frame_bytes: count(10),
};

const PUBLICATION: Schema = {
  channel: text(1),
  id: text(2),
  epoch: text(3),
  offset: count(4),
  time: count(5),
  name: maybeText(6),
  ref: maybeText(7),
  tags: [8, "map", "maybe"],
  from: one(9, { client: text(1), user: maybeText(2) }),
  data: [10, "json", "maybe"],
  bytes: [11, "bytes", "maybe"],
};

const MEMBER: Schema = { client: text(1), user: maybeText(2), info: [3, "json", "maybe"] };

const MOVED: Schema = {
  channel: text(1),
  client: text(2),
  user: maybeText(3),
  info: [4, "json", "maybe"],
};

const ERROR: Schema = {
  code: count(1),
  name: text(2),
  message: text(3),
  hint: text(4),
  channel: maybeText(5),
  temporary: flag(6),
  after: maybeCount(7),
};

/** What a client is told. */
export const EVENT: Schema = {
  id: count(1),
  connected: one(2, CONNECTED),
  subscribed: one(3, {
    channel: text(1),
    epoch: text(2),
    offset: count(3),
    head: count(4),
    recovered: flag(5),
  }),
  unsubscribed: one(4, {
    channel: text(1),
    code: maybeCount(2),
    name: maybeText(3),
    message: maybeText(4),
  }),
  published: one(5, {
    channel: text(1),
    id: text(2),
    epoch: text(3),
    offset: count(4),
    time: count(5),
    duplicate: flag(6),
  }),
  publication: one(6, PUBLICATION),
  history: one(7, {
    channel: text(1),
    epoch: text(2),
    offset: count(3),
    publications: many(4, PUBLICATION),
    more: flag(5),
  }),
  presence: one(8, { channel: text(1), members: many(2, MEMBER), count: count(3) }),
  join: one(9, MOVED),
  leave: one(10, MOVED),
  gap: one(11, {
    channel: text(1),
    from: count(2),
    to: maybeCount(3),
    reason: text(4),
    epoch: text(5),
    offset: count(6),
  }),
  lagged: one(12, { channel: text(1), offset: count(2), head: count(3) }),
  ping: one(13, {}),
  pong: one(14, PONG),
  refreshed: one(15, { channel: maybeText(1), expires: maybeCount(2) }),
  grant: one(16, { grant: text(1), expires: count(2) }),
  error: one(17, ERROR),
  close: one(18, {
    code: count(1),
    name: text(2),
    message: text(3),
    reconnect: flag(4),
    after: maybeCount(5),
    node: maybeText(6),
  }),
};
