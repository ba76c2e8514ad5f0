/** @file Tables of labels: `metadata.csv` and `metadata.jsonl`, as Hugging Face's ImageFolder reads them. */
import { GraftError } from "../tensor/index.ts";

/** What a table may be called. */
export const tableNames: readonly string[] = ["metadata.csv", "metadata.jsonl"];

/** A row of a table. Missing and blank cells are `undefined`. */
export interface TableRow {
  /** Where it stands, from 1. */
  readonly line: number;
  readonly fileName: string;
  readonly label: string | undefined;
  readonly group: string | undefined;
  readonly split: string | undefined;
}

/**
 * The rows of a table with the columns `file_name` and `label`, and optionally `group` and `split`. Other columns are
 * left alone.
 *
 * @throws GraftError `bad-data` for a table that cannot be read or has no such columns; its path begins with the line
 */
export function readTable(name: string, text: string): TableRow[] {
  const records = name.endsWith(".jsonl") ? readJsonLines(text) : readCsv(text);
  return records.map(({ line, cells }) => {
    const cell = (column: string) => {
      const value = cells.get(column);
      return value === undefined || value.trim() === "" ? undefined : value;
    };
    const fileName = cell("file_name");
    if (fileName === undefined) throw new GraftError("bad-data", "no file_name", { path: [`line ${line}`] });
    return { line, fileName, label: cell("label"), group: cell("group"), split: cell("split") };
  });
}

interface TableRecord {
  readonly line: number;
  readonly cells: ReadonlyMap<string, string>;
}

function readCsv(text: string): TableRecord[] {
  const [header, ...rows] = csvRows(text.replace(/^\ufeff/, ""));
  if (header === undefined) throw new GraftError("bad-data", "the table is empty");
  const columns = header.cells.map((column) => column.trim());
  requireColumns(columns);
  const repeated = columns.find((column, at) => column !== "" && columns.indexOf(column) !== at);
  if (repeated !== undefined) {
    throw new GraftError("bad-data", `two columns are called ${JSON.stringify(repeated)}`, {
      path: [`line ${header.line}`],
    });
  }
  return rows.map(({ line, cells }) => {
    if (cells.length !== columns.length) {
      throw new GraftError("bad-data", "a row has another number of cells than the header", {
        path: [`line ${line}`],
        expected: String(columns.length),
        actual: String(cells.length),
        hint: "put cells with commas in double quotes",
      });
    }
    return { line, cells: new Map(columns.map((column, at) => [column, cells[at] ?? ""])) };
  });
}

interface CsvRow {
  readonly line: number;
  readonly cells: readonly string[];
}

/** RFC 4180, with any kind of line end; blank lines are left out. */
function csvRows(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const start = line;
    const cells: string[] = [];
    for (let isLast = false; !isLast; ) {
      let cell = "";
      if (text[at] === '"') {
        const end = closingQuote(text, at, start);
        cell = text.slice(at + 1, end).replaceAll('""', '"');
        line += cell.split("\n").length - 1;
        at = end + 1;
      }
      const rest = /[^,\r\n]*/y;
      rest.lastIndex = at;
      cell += rest.exec(text)?.[0] ?? "";
      at = rest.lastIndex;
      cells.push(cell);
      isLast = text[at] !== ",";
      if (!isLast) at += 1;
    }
    at += text.startsWith("\r\n", at) ? 2 : 1;
    line += 1;
    if (cells.length > 1 || cells[0]?.trim() !== "") rows.push({ line: start, cells });
  }
  return rows;
}

/** Where the quoted cell that opens at `at` closes. */
function closingQuote(text: string, at: number, line: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 2)) {
    if (text[end + 1] !== '"') return end;
  }
  throw new GraftError("bad-data", "a quoted cell has no closing quote", { path: [`line ${line}`] });
}

function readJsonLines(text: string): TableRecord[] {
  const records = text
    .replace(/^\ufeff/, "")
    .split(/\r\n|\n|\r/)
    .map((content, at) => ({ line: at + 1, content }))
    .filter(({ content }) => content.trim() !== "")
    .map(({ line, content }) => ({ line, cells: cellsOfJson(content, line) }));
  if (records.length === 0) throw new GraftError("bad-data", "the table is empty");
  requireColumns([...new Set(records.flatMap(({ cells }) => [...cells.keys()]))]);
  return records;
}

function cellsOfJson(content: string, line: number): ReadonlyMap<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new GraftError("bad-data", "this line is no JSON", { path: [`line ${line}`], cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new GraftError("bad-data", "this line is no JSON object", { path: [`line ${line}`] });
  }
  const cells = new Map<string, string>();
  for (const [key, cell] of Object.entries(value)) {
    if (["string", "number", "boolean"].includes(typeof cell)) cells.set(key, String(cell));
  }
  return cells;
}

function requireColumns(columns: readonly string[]): void {
  if (["file_name", "label"].every((column) => columns.includes(column))) return;
  throw new GraftError("bad-data", "the table lacks a column", {
    expected: "file_name and label, separated by commas (and, if wanted, group and split)",
    actual: columns.map((column) => JSON.stringify(column)).join(", "),
  });
}
