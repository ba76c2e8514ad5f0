/** @file One request to a hub: redirects followed by hand, so that keys go only where they belong and nobody is led inside. */
import type { Readable } from "node:stream";
import { request } from "undici";
import { GraftError } from "../tensor/index.ts";
import { isLocalhost, withoutSecrets } from "./handle.ts";
import { dispatcherFor, ForbiddenAddress } from "./network-node.ts";

export interface Question {
  readonly headers?: Readonly<Record<string, string>>;
  /** The Authorization header. It is sent to the origin of the typed address only. */
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What to do where the answer is 401 or 403. */
  readonly deniedHint?: string | undefined;
}

/** An answer, after all redirects. Its body must be read or destroyed. */
export interface Answer {
  readonly status: number;
  readonly body: Readable;
  /** A header of the last answer. */
  readonly header: (name: string) => string | undefined;
  /** A header of any answer on the way, the first that has it: hubs say what a file is before they redirect. */
  readonly anyHeader: (name: string) => string | undefined;
}

/** A failure that another try may mend; `retryAfter` is what the server asks to wait, in milliseconds. */
export class Temporary extends Error {
  readonly retryAfter: number;
  constructor(message: string, retryAfter = 0) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

const MAX_REDIRECTS = 10;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * Asks `address`, which the user or a hub's endpoint named. Statuses are not judged.
 *
 * @throws Temporary where the network fails; GraftError `not-cached` where redirects go round or lead where they may not
 */
export async function ask(address: string, question: Question): Promise<Answer> {
  const typed = new URL(address);
  const seen = new Set<string>();
  const headers: Readonly<Record<string, string | string[] | undefined>>[] = [];
  let url = typed;
  for (;;) {
    if (seen.has(url.href)) throw led(typed, "the redirects go round in a circle", url);
    if (seen.size > MAX_REDIRECTS) throw led(typed, `it redirects more than ${MAX_REDIRECTS} times`, url);
    seen.add(url.href);
    const answer = await send(url, typed, question);
    headers.push(answer.headers);
    const location = answer.headers["location"];
    if (!REDIRECTS.includes(answer.statusCode) || typeof location !== "string") {
      return {
        status: answer.statusCode,
        body: answer.body,
        header: (name) => single(answer.headers[name]),
        anyHeader: (name) => headers.map((each) => single(each[name])).find((value) => value !== undefined),
      };
    }
    await answer.body.dump().catch(() => undefined);
    url = nextAddress(location, url, typed);
  }
}

async function send(url: URL, typed: URL, { headers = {}, authorization, signal }: Question) {
  const isOwn = url.origin === typed.origin;
  try {
    return await request(url, {
      dispatcher: await dispatcherFor(url, typed),
      headers: {
        "user-agent": "graftwork",
        "accept-encoding": "identity",
        ...headers,
        ...(isOwn && authorization !== undefined && { authorization }),
      },
      signal: signal ?? null,
    });
  } catch (cause) {
    throw failureOf(cause, url, typed);
  }
}

function nextAddress(location: string, url: URL, typed: URL): URL {
  if (!URL.canParse(location, url)) throw led(typed, "it redirects to what is no address", url);
  const next = new URL(location, url);
  next.hash = "";
  const isSafe = next.protocol === "https:";
  const isLikeTyped = next.protocol === "http:" && typed.protocol === "http:";
  const isKept = url.protocol === "http:" && (next.host === typed.host || isLocalhost(next.hostname));
  if (!isSafe && !(isLikeTyped && isKept)) {
    throw led(
      typed,
      next.protocol === "http:" ? "it redirects to http, where it can be changed" : "it redirects to no https address",
      next,
    );
  }
  return next;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}

function led(typed: URL, reason: string, where: URL): GraftError {
  return new GraftError("not-cached", reason, { path: [withoutSecrets(typed.href)], actual: placeOf(where) });
}

/** Where a redirect leads, without its query: signed addresses let anyone in who reads them. */
function placeOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`.slice(0, 300);
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ALTNAME/;

/** What a failed request means: most may be mended by another try, forbidden places and strange certificates not. */
function failureOf(cause: unknown, url: URL, typed: URL): Error {
  if (cause instanceof GraftError || cause instanceof Temporary) return cause;
  const forbidden = causesOf(cause).find((each) => each instanceof ForbiddenAddress);
  if (forbidden !== undefined) {
    return new GraftError("not-cached", "it leads to an address inside a network, which nobody typed", {
      path: [withoutSecrets(typed.href)],
      actual: `${url.hostname}: ${forbidden.message}`,
      hint: "if you trust it, give that address itself",
    });
  }
  const certificate = causesOf(cause).find((each) => CERTIFICATE.test(codeOf(each)));
  if (certificate !== undefined) {
    return new GraftError("not-cached", "the server's certificate is not trusted", {
      path: [placeOf(url)],
      actual: certificate.message,
      hint: "behind a proxy that opens connections, name its certificate in NODE_EXTRA_CA_CERTS",
    });
  }
  return temporary(cause);
}

/** A failure of the network, in the words of its innermost cause. */
export function temporary(cause: unknown): Temporary {
  if (cause instanceof Temporary) return cause;
  const inner = causesOf(cause).at(-1);
  return new Temporary(inner?.message || codeOf(inner) || String(cause));
}

/** The error, its causes, and the first error of those that several addresses gave. */
function causesOf(cause: unknown): Error[] {
  const found: Error[] = [];
  let at: unknown = cause;
  while (at instanceof Error && found.length < 8) {
    found.push(at);
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return found;
}

function codeOf(cause: Error | undefined): string {
  return cause !== undefined && "code" in cause ? String(cause.code) : "";
}

/** The longest wait that a server is granted, in milliseconds. */
const LONGEST_WAIT = 120_000;

/**
 * Refuses answers that are no files.
 *
 * @throws Temporary where another try may do; GraftError `not-cached` else
 */
export function refuseStatus({ status, header }: Answer, address: string, deniedHint?: string): void {
  if (status >= 200 && status < 300) return;
  const path = [withoutSecrets(address)];
  const actual = `HTTP ${status}${names.get(status) ?? ""}`;
  if (status >= 500 || status === 429 || status === 408 || status === 425) {
    const wait = waitOf(header("retry-after"));
    if (wait <= LONGEST_WAIT) throw new Temporary(actual, wait);
    throw new GraftError("not-cached", "the server asks to come back later", {
      path,
      actual: `${actual}, in ${Math.ceil(wait / 60_000)} minutes`,
    });
  }
  if (status === 401 || status === 403) {
    throw new GraftError("not-cached", "the server does not give it to just anyone", {
      path,
      actual,
      hint: deniedHint ?? "download it where you are signed in, and give the file's path",
    });
  }
  throw new GraftError("not-cached", "the address has no such file", { path, actual });
}

const names: ReadonlyMap<number, string> = new Map([
  [400, " Bad Request"],
  [401, " Unauthorized"],
  [403, " Forbidden"],
  [404, " Not Found"],
  [410, " Gone"],
  [429, " Too Many Requests"],
  [500, " Internal Server Error"],
  [502, " Bad Gateway"],
  [503, " Service Unavailable"],
  [504, " Gateway Timeout"],
]);

/** Seconds, or a date. */
function waitOf(retryAfter: string | undefined): number {
  if (retryAfter === undefined) return 0;
  const seconds = Number(retryAfter);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}

/** A page where a file was expected: sign-in pages and errors come as HTML. */
export function pageInstead(address: string): GraftError {
  return new GraftError("not-cached", "the address answers with an HTML page, not with the file", {
    path: [withoutSecrets(address)],
    hint: "a proxy or a sign-in page may stand between; open the address in a browser",
  });
}
