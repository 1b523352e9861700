/** Packs commands into frames, as few as the server's limits permit. */

import { byteLength } from "./transport/size.js";
import type { Codec, Command, Frame } from "./wire.js";

/** Well below the limit of any server. */
const COMMANDS_PER_FRAME = 128;

/** Frames of at most `frameBytes`. Calls `ontoolarge` with each command that fits in none. */
export function pack(
  codec: Codec,
  commands: readonly Command[],
  frameBytes: number,
  ontoolarge: (id: number) => void,
): Frame[] {
  const frames: Frame[][] = [];
  let room = 0;
  for (const command of commands) {
    const written = codec.encode(command);
    const size = byteLength(written) + 1;
    if (size > frameBytes) {
      ontoolarge(command.id);
      continue;
    }
    const last = frames.at(-1);
    if (last === undefined || size > room || last.length >= COMMANDS_PER_FRAME) {
      frames.push([written]);
      room = frameBytes - size;
    } else {
      last.push(written);
      room -= size;
    }
  }
  return frames.map((written) => codec.join(written));
}
