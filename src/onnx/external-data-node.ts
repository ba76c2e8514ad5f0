/** @file External data in Node: only plain files that really lie inside the model's own folder, and no links of any kind. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { GraftError } from "../tensor/index.ts";
import { checkLocation, type ExternalData } from "./external-data.ts";

export interface ExternalDataLimits {
  /** Bytes read in all. */
  readonly totalBytes: number;
}

/**
 * Gives what a model keeps beside itself. `modelPath` is the model's file. Throws "model-refused" for a place outside
 * its folder, for symbolic links in any part of the way, hard links (another name may lie anywhere), and everything
 * that is no regular file; "model-invalid" when the file is missing or too short; "out-of-resources" past the limit.
 */
export function externalDataBeside(
  modelPath: string,
  { totalBytes }: ExternalDataLimits = { totalBytes: 2 ** 33 },
): ExternalData {
  const folder = realpathSync(dirname(modelPath));
  let left = totalBytes;
  return (location, offset, length) => {
    checkLocation(location);
    if (length > left) {
      throw new GraftError("out-of-resources", "the model keeps too much data outside itself", {
        path: [location],
        expected: `at most ${totalBytes} bytes in all`,
      });
    }
    left -= length;
    const path = resolveInside(folder, location);
    // O_NOFOLLOW, and checks of what was opened, hold even if the file is exchanged between looking and opening.
    const file = open(path, location);
    try {
      const { size, nlink, isFile } = describe(file);
      if (!isFile) throw refused(location, "external data is no regular file");
      if (nlink > 1) throw refused(location, "external data has more than one name (a hard link)");
      if (offset + length > size) {
        throw new GraftError("model-invalid", "the external file is too short", {
          path: [location],
          expected: `${length} bytes at ${offset}`,
          actual: `${size} bytes`,
        });
      }
      return read(file, offset, length, location);
    } finally {
      closeSync(file);
    }
  };
}

/** The path, every part of which is a folder or a file in its own right. */
function resolveInside(folder: string, location: string): string {
  let path = folder;
  for (const name of location.split("/")) {
    path = join(path, name);
    let isLink: boolean;
    try {
      isLink = lstatSync(path).isSymbolicLink();
    } catch (cause) {
      throw new GraftError("model-invalid", "the external file is missing", { path: [location], cause });
    }
    if (isLink) throw refused(location, "external data lies behind a symbolic link");
  }
  if (realpathSync(path).startsWith(folder.endsWith(sep) ? folder : folder + sep)) return path;
  throw refused(location, "external data lies outside the model's folder");
}

function open(path: string, location: string): number {
  try {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    return openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw new GraftError("model-refused", "the external file cannot be opened", { path: [location], cause });
  }
}

function describe(file: number): { size: number; nlink: number; isFile: boolean } {
  const status = fstatSync(file);
  return { size: status.size, nlink: status.nlink, isFile: status.isFile() };
}

function read(file: number, offset: number, length: number, location: string): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const count = readSync(file, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
    if (count === 0) throw new GraftError("model-invalid", "the external file was cut short", { path: [location] });
    done += count;
  }
  return bytes;
}

function refused(location: string, reason: string): GraftError {
  return new GraftError("model-refused", reason, {
    path: [location],
    hint: "put a plain copy of the data beside the model",
  });
}
