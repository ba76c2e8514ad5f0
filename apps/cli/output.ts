/** @file What goes to standard output: lines of text, JSON and CSV, at the reader's pace. */
import { once } from "node:events";

/** Writes a piece of the result; waits where the reader is slower. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** A JSON object of these entries in this order, whatever they are called: `__proto__` and numbers too. */
export function jsonObject(entries: Iterable<readonly [string, unknown]>): string {
  return `{${Array.from(entries, ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(", ")}}`;
}

/** A line of CSV (RFC 4180). Text that a spreadsheet would run as a formula is told to be text, by an apostrophe. */
export function csvLine(cells: readonly (string | number | boolean | undefined)[]): string {
  return `${cells.map(csvCell).join(",")}\n`;
}

function csvCell(cell: string | number | boolean | undefined): string {
  if (typeof cell !== "string") return cell === undefined ? "" : String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A probability for people: `98.3 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/**
 * Text from a stranger, such as a file's name, on one line of a terminal: what would steer the terminal, or turn the text
 * around, is shown as its code.
 */
export function oneLine(text: string): string {
  const code = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, code);
}
