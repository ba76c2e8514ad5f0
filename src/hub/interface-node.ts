/** @file Asking a hub's interface: JSON, of bounded size, with the same patience as a download. */
import { setTimeout as delay } from "node:timers/promises";
import { GraftError } from "../tensor/index.ts";
import type { DownloadOptions } from "./download-node.ts";
import { withoutSecrets } from "./handle.ts";
import { ask, type Question, refuseStatus, Temporary, temporary } from "./request-node.ts";

export type InterfaceOptions = Pick<DownloadOptions, "signal" | "attempts" | "pause" | "timeout"> &
  Pick<Question, "authorization" | "deniedHint">;

/** The most bytes of an answer: the list of a repository with tens of thousands of files. */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * The JSON at `address`, with the header of that name if one is asked for.
 *
 * @throws GraftError `not-cached` where there is none
 */
export async function askJson(address: string, options: InterfaceOptions = {}): Promise<unknown> {
  const { attempts = 4, pause = 1000, signal } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(address, options);
    } catch (cause) {
      if (cause instanceof GraftError) throw cause;
      signal?.throwIfAborted();
      if (!(cause instanceof Temporary) || attempt >= attempts) {
        throw new GraftError("not-cached", "the hub does not answer", {
          path: [withoutSecrets(address)],
          actual: cause instanceof Error ? cause.message : String(cause),
          hint: "try again; what is on this machine already is used with --offline",
          cause,
        });
      }
      await delay(Math.max(pause * 2 ** (attempt - 1), cause.retryAfter), undefined, { ...(signal && { signal }) });
    }
  }
}

async function askOnce(address: string, options: InterfaceOptions): Promise<unknown> {
  const { timeout = 30_000, signal, authorization, deniedHint } = options;
  const limit = AbortSignal.timeout(timeout);
  try {
    const answer = await ask(address, {
      authorization,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      headers: { accept: "application/json" },
    });
    try {
      refuseStatus(answer, address, deniedHint);
      return parsed(await textOf(answer.body, address), address);
    } finally {
      answer.body.on("error", () => undefined).destroy();
    }
  } catch (cause) {
    if (limit.aborted) throw new Temporary(`no answer for ${timeout} ms`);
    throw cause instanceof GraftError ? cause : temporary(cause);
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, address: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_BYTES) throw strange(address, `more than ${MOST_BYTES} bytes`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string, address: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw strange(address, text.trimStart().startsWith("<") ? "an HTML page" : "something else");
  }
}

function strange(address: string, actual: string): GraftError {
  return new GraftError("not-cached", "the hub answers with something else than JSON", {
    path: [withoutSecrets(address)],
    actual,
    hint: "a proxy or a sign-in page may stand between; open the address in a browser",
  });
}
