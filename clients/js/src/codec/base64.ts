/** Base64, as JSON carries bytes. Works in browsers and Node alike. */

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  const characters = Array.from(bytes, (byte) => String.fromCharCode(byte));
  return btoa(characters.join(""));
}

/** Base64 as bytes. Throws when it is not base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
