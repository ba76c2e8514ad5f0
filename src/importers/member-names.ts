/** @file Names of files in archives and folders: relative, and never out of them. */
import { GraftError } from "../tensor/index.ts";

const longest = 4096;

/**
 * The name with `/` between its parts, without `.` parts and a slash at its end.
 *
 * @throws GraftError `model-refused` for absolute names, `..`, backslashes, drives and NUL
 */
export function memberName(name: string): string {
  const parts = name.split("/").filter((part, index) => part !== "." && (part !== "" || index === 0));
  const isAbsolute = name.startsWith("/") || /^[A-Za-z]:/.test(name);
  if (name === "" || name.length > longest || isAbsolute || parts.includes("..") || /[\\\0]/.test(name)) {
    throw new GraftError("model-refused", "a file in the archive has a name that leads out of it", {
      actual: JSON.stringify(name.slice(0, 120)),
      hint: "pack the model again: its files by relative names, without .. and backslashes",
    });
  }
  return parts.join("/");
}

/** Puts a file into the list, once. Throws GraftError `model-refused` where its name is there already. */
export function addMember<T>(members: Map<string, T>, name: string, member: T): void {
  if (members.has(name)) {
    throw new GraftError("model-refused", "the archive holds a name twice", {
      path: [name],
      hint: "readers disagree which of them is meant: pack the model again",
    });
  }
  members.set(name, member);
}
