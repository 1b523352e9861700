/**
 * The codec `martlet.v1.proto`: Protobuf messages, each after its length. A module of its own
 * (`martlet/proto`), so that an application without binary payloads does not load it.
 */

import type { HistoryPage, Publication } from "../model.js";
import type { Codec, Command, Event, Frame } from "../wire.js";
import { read, write, type Message } from "./proto/message.js";
import { COMMAND, EVENT } from "./proto/schema.js";
import { Reader, Writer } from "./proto/varint.js";
import { check } from "./shape.js";

/** Binary frames of length-delimited messages. */
export const proto: Codec = {
  subprotocol: "martlet.v1.proto",

  encode({ id, name, body }: Command): Uint8Array {
    const listed = name === "subscribe" || name === "unsubscribe";
    const number = id === 0 ? {} : { id };
    const writer = new Writer();
    writer.delimited(write(COMMAND, { ...number, [name]: listed ? { channels: body } : body }));
    return writer.finish();
  },

  join(written: readonly Frame[]): Uint8Array {
    const parts = written as readonly Uint8Array[];
    const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  },

  decode(frame: Frame): Event[] {
    if (typeof frame === "string") {
      throw new TypeError("a text where bytes were expected");
    }
    const events: Event[] = [];
    for (const reader = new Reader(frame); !reader.done;) {
      const event = eventOf(read(EVENT, reader.delimited()));
      if (event !== undefined) {
        events.push(event);
      }
    }
    return events;
  },
};

function eventOf(message: Message): Event | undefined {
  const found = check(message);
  if (found === undefined) {
    return undefined;
  }
  const { id, name, body } = found;
  return { id, name, body: name === "history" ? named(body) : body } as unknown as Event;
}

/** The publications of a page do not repeat their channel on the wire; here they have it. */
function named(body: Message): HistoryPage {
  const page = body as unknown as HistoryPage;
  const { channel } = page;
  const publications = page.publications.map((one: Publication) => ({ ...one, channel }));
  return { ...page, publications };
}
