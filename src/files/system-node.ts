/** @file What the system says: why a file could not be had, and whether a process is still there. */
import { readFile } from "node:fs/promises";

/** The system's name of what went wrong, such as `ENOENT`; empty where it gave none. */
export function systemCode(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

/** Whether there was no room left, on the disk or in the quota. */
export function isDiskFull(cause: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(systemCode(cause));
}

/** What the system said, in words. */
export function reasonOf(cause: unknown): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: "no such file or folder",
    ENOTDIR: "a file where a folder was expected",
    EACCES: "permission denied",
    EROFS: "a read-only file system",
    ENOSPC: "no space left on the disk",
    EDQUOT: "the disk quota is used up",
    EMFILE: "too many open files",
    EISDIR: "a folder",
  };
  return known[systemCode(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
}

/** Whether a process of this number runs. */
export async function isAlive(pid: number): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    return systemCode(cause) === "EPERM";
  }
  // One that was killed keeps its number until its parent asks for it, which in a container may be never.
  const about = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return !/^ [ZX]/.test(about.slice(about.lastIndexOf(")") + 1));
}
