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

/** Text from a stranger, such as a file's name, on one line of a terminal: control characters are shown, not obeyed. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (letter) => JSON.stringify(letter).slice(1, -1));
}

/** A result as one JSON document. */
export function jsonOf(result: object): string {
  return JSON.stringify(result, undefined, 2);
}
