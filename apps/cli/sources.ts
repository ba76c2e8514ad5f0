/** @file What a command is asked about: files, folders, a list of paths, or the bytes on standard input. */
import { readFile } from "node:fs/promises";
import { GraftError } from "graftwork";
import type { NamedBytes } from "graftwork/node";

/** More than this on standard input is no picture and no list, but a mistake. */
const largestInput = 2 ** 28;

/**
 * Paths as they were given, `-` as the picture on standard input, and the paths that a list names: one a line, or ended
 * by zero bytes as `find -print0` writes them. The list is a file, or standard input for `-`.
 *
 * @throws GraftError `usage` where the list cannot be read, or standard input is asked for twice or is too long
 */
export async function sourcesOf(
  files: readonly string[],
  list: string | undefined,
): Promise<readonly (string | NamedBytes)[]> {
  if (files.filter((file) => file === "-").length + (list === "-" ? 1 : 0) > 1) {
    throw new GraftError("usage", "standard input can be read once: as one picture, or as one list of paths");
  }
  const sources: (string | NamedBytes)[] = [];
  for (const file of files) sources.push(file === "-" ? { name: "-", bytes: await standardInput() } : file);
  if (list !== undefined) sources.push(...pathsIn(await bytesOf(list)));
  if (sources.length > 0) return sources;
  throw new GraftError("usage", "no file is named", { hint: "name files or folders, - or --files-from" });
}

async function bytesOf(list: string): Promise<Uint8Array> {
  if (list === "-") return await standardInput();
  return await readFile(list).catch((cause: unknown) => {
    throw new GraftError("usage", "the list of files cannot be read", { path: [list], cause });
  });
}

function pathsIn(bytes: Uint8Array): readonly string[] {
  const text = new TextDecoder().decode(bytes);
  return text.split(text.includes("\0") ? "\0" : /\r?\n/).filter((path) => path !== "");
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Standard input is a stream of bytes as long as nobody gives it an encoding.
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length <= largestInput) continue;
    throw new GraftError("usage", "standard input is too long to be a picture", {
      expected: `at most ${largestInput} bytes`,
    });
  }
  return Buffer.concat(chunks);
}

/** More threads than this do not decode faster. */
const mostThreads = 16;

/** How many threads decode, where a number of threads was asked for. */
export function decoding(threads: number | undefined): { readonly threads?: number } {
  return threads === undefined ? {} : { threads: Math.min(threads, mostThreads) };
}
