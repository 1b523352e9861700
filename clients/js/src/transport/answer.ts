/**
 * Requests and what counts as an answer. Anything between client and server may answer in its
 * place: a captive portal with a page and status 200, a proxy with one of its own and 502. So an
 * answer is only one when its status and its content type are those that were asked for.
 */

import { codes } from "../codes.js";
import type { Refused } from "../wire.js";

/** The function that makes requests. */
export type Fetch = typeof globalThis.fetch;

/** The statuses that are answers, each with its content type; "" for one without a body. */
export type Expected = Readonly<Record<number, string>>;

/** The answer was not the one hoped for. */
export class AnswerError extends Error {
  /** `again` says whether the same request may be answered otherwise: the server did not speak. */
  constructor(
    readonly refused: Refused,
    readonly again: boolean,
  ) {
    super(refused.message);
  }
}

/** A request. */
export interface Question {
  readonly url: string;
  readonly body?: string;
  readonly signal: AbortSignal;
  readonly expected: Expected;
  /** Whether it outlives the page. */
  readonly keepalive?: boolean;
}

/**
 * Posts, and gives the answer if it is one. A text body needs no permission beforehand from a
 * server of another origin, and nothing between keeps the answer to a POST.
 */
export async function ask(fetch: Fetch, question: Question): Promise<Response> {
  const { url, body, signal, expected, keepalive = false } = question;
  const content = body === undefined ? {} : { body };
  const how = { signal, keepalive, cache: "no-store" } as const;
  const response = await fetch(url, { method: "POST", ...content, ...how });
  const type = expected[response.status];
  if (type !== undefined && (type === "" || typeOf(response) === type)) {
    return response;
  }
  throw await errorOf(response);
}

function typeOf(response: Response): string {
  const [type = ""] = (response.headers.get("content-type") ?? "").split(";");
  return type.trim().toLowerCase();
}

async function errorOf(response: Response): Promise<AnswerError> {
  const said = response.status < 400 ? undefined : await refusedBy(response);
  if (said !== undefined) {
    return new AnswerError(said, false);
  }
  // Not to be read: it may never end.
  void response.body?.cancel().catch(() => undefined);
  const message = `Something other than the server answered (status ${response.status}).`;
  const advice = response.status < 400 ? {} : retryAfter(response);
  const refused = { code: 0, name: "http_status", message, temporary: true, ...advice };
  // Who is told when to come back is not to try again before.
  return new AnswerError(refused, refused.after === undefined);
}

/** How long to stay away, as the header has it. A date is left out: clocks differ. */
function retryAfter({ headers }: Response): { after?: number } {
  const seconds = /^\d{1,9}$/.exec(headers.get("retry-after")?.trim() ?? "");
  return seconds === null ? {} : { after: 1_000 * Number(seconds[0]) };
}

/**
 * The error in a response's body, if the server wrote it. Only a refusal of who the client is ends
 * its tries.
 */
async function refusedBy(response: Response): Promise<Refused | undefined> {
  const body: unknown = await response.json().catch(() => undefined);
  const { code, name, message } = (body ?? {}) as Partial<Refused>;
  if (typeof code !== "number" || typeof name !== "string" || typeof message !== "string") {
    return undefined;
  }
  const temporary = code < 1100 || code > 1199 || code === codes.keys_unavailable;
  return { ...retryAfter(response), ...(body as Refused), temporary };
}

/** Whether the same request is worth sending again after this. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof AnswerError) || error.again;
}
