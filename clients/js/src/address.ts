/** Addresses of servers, as applications give them and as servers name each other. */

/** The server's address without a slash at its end. In a browser it may be relative to the page. */
export function baseOf(url: string): string {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const base = httpOf(new URL(url, page));
  if (base === undefined) {
    throw new RangeError(`${url} is not an http, https, ws or wss address`);
  }
  return base;
}

/** The same of a whole address, or `undefined` for a text that is none. */
export function addressOf(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  const plain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  return plain && url.host !== "" ? httpOf(url) : undefined;
}

function httpOf({ protocol, host, pathname }: URL): string | undefined {
  const scheme = protocol.replace(/^ws/, "http");
  const known = scheme === "http:" || scheme === "https:";
  return known ? `${scheme}//${host}${pathname.replace(/\/+$/, "")}` : undefined;
}
