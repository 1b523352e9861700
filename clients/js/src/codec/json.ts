/** The codec `martlet.v1.json`: UTF-8 text, one JSON object for each command or event. */

import type { Position, Publication } from "../model.js";
import type { Codec, Command, Draft, Event, Events, Frame } from "../wire.js";
import { fromBase64, toBase64 } from "./base64.js";
import { check } from "./shape.js";

/** Text frames of JSON objects joined by line feeds. */
export const json: Codec = {
  subprotocol: "martlet.v1.json",

  encode({ id, name, body }: Command): string {
    const number = id === 0 ? "" : `"id":${id},`;
    const value = name === "publish" ? draft(body) : JSON.stringify(body);
    return `{${number}"${name}":${value}}`;
  },

  join(written: readonly Frame[]): string {
    return written.join("\n");
  },

  decode(frame: Frame): Event[] {
    const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame);
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    return lines.map(event).filter((read) => read !== undefined);
  },
};

/** The data is spliced in as it is: it was made JSON text when the application published it. */
function draft({ json: data, bytes, ...rest }: Draft): string {
  const head = JSON.stringify(bytes === undefined ? rest : { ...rest, bytes: toBase64(bytes) });
  return data === undefined ? head : `${head.slice(0, -1)},"data":${data}}`;
}

/** An event, or `undefined` for one that this version does not know. */
function event(line: string): Event | undefined {
  const object: unknown = JSON.parse(line);
  const found = check(object);
  if (found === undefined) {
    return undefined;
  }
  const { id, name, body } = found;
  if (name === "publication") {
    return { id, name, body: publication(body) };
  }
  if (name === "history") {
    return { id, name, body: history(body) };
  }
  return { id, name, body } as unknown as Event;
}

type Raw = Record<string, unknown>;

function publication(raw: Raw): Publication {
  const bytes = raw["bytes"];
  const decoded = typeof bytes === "string" ? { ...raw, bytes: fromBase64(bytes) } : raw;
  return decoded as unknown as Publication;
}

/** The publications of a page do not repeat their channel on the wire; here they have it. */
function history(raw: Raw): Events["history"] {
  const page = raw as unknown as Position & { channel: string; more: boolean };
  const listed = Array.isArray(raw["publications"]) ? (raw["publications"] as Raw[]) : [];
  const publications = listed.map((one) => publication({ channel: page.channel, ...one }));
  return { ...page, publications };
}
