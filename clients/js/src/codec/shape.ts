/**
 * Checks that an event has the fields this client relies on. A server that sends something else is
 * not spoken to any further, rather than misunderstood.
 */

import type { Events } from "../wire.js";

type Kind = "string" | "number" | "boolean" | "object";

const POSITION = { epoch: "string", offset: "number" } as const;
const CHANNEL = { channel: "string" } as const;

/** The fields that must be there, for every event there is. */
const FIELDS: { readonly [K in keyof Events]: Readonly<Record<string, Kind>> } = {
  connected: {
    client: "string",
    session: "string",
    grant: "string",
    ping: "number",
    pong: "number",
    time: "number",
    frame_bytes: "number",
  },
  subscribed: { ...CHANNEL, ...POSITION, head: "number", recovered: "boolean" },
  unsubscribed: CHANNEL,
  published: { ...CHANNEL, ...POSITION, id: "string", time: "number" },
  publication: { ...CHANNEL, ...POSITION, id: "string", time: "number" },
  history: { ...CHANNEL, ...POSITION, publications: "object", more: "boolean" },
  presence: { ...CHANNEL, members: "object", count: "number" },
  join: { ...CHANNEL, client: "string" },
  leave: { ...CHANNEL, client: "string" },
  gap: { ...CHANNEL, ...POSITION, from: "number", reason: "string" },
  lagged: { ...CHANNEL, offset: "number", head: "number" },
  ping: {},
  pong: {},
  refreshed: {},
  grant: { grant: "string" },
  error: { code: "number", name: "string", message: "string" },
  close: { code: "number", name: "string", message: "string", reconnect: "boolean" },
};

/** An event whose fields are as they must be. */
export interface Checked {
  readonly id: number;
  readonly name: keyof Events;
  readonly body: Record<string, unknown>;
}

/** Checks one decoded object. `undefined` for an event that this version does not know. */
export function check(object: unknown): Checked | undefined {
  if (!isObject(object)) {
    throw new TypeError("an event is an object");
  }
  const names = Object.keys(object).filter((key) => Object.hasOwn(FIELDS, key));
  const name = names[0] as keyof Events | undefined;
  if (name === undefined) {
    return undefined;
  }
  const body = object[name];
  if (!isObject(body)) {
    throw new TypeError(`${name} is not an object`);
  }
  for (const [field, kind] of Object.entries(FIELDS[name])) {
    if (typeof body[field] !== kind || body[field] === null) {
      throw new TypeError(`${name} has no ${field}`);
    }
  }
  const id = object["id"];
  return { id: typeof id === "number" ? id : 0, name, body };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
