/** @file Rows of text as columns. */

/** Each column as wide as its widest cell, two spaces between; empty columns and trailing spaces are left out. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .flatMap((cell, column) => ((widths[column] ?? 0) === 0 ? [] : [cell.padEnd(widths[column] ?? 0)]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
