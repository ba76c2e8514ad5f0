/** @file Tables as Keras's summaries draw them, by the rules of the Python package rich: widths, wrapping, borders. */

export interface TableColumn {
  readonly header: string;
  /** How many characters it asks for, without a blank on either side. */
  readonly width: number;
  readonly align: "left" | "right" | "center";
}

/** The table in lines of exactly `width` characters: cells that are too long go on in further lines, words that are too long are cut. */
export function drawTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const sizes = fitted(
    columns.map((column) => column.width + 2),
    width - columns.length - 1,
  ).map((size) => size - 2);
  const rule = (left: string, line: string, cross: string, right: string) =>
    left + sizes.map((size) => line.repeat(size + 2)).join(cross) + right;
  const draw = (cells: readonly string[], edge: string) => {
    const wrapped = columns.map(({ align }, index) => wrap(cells[index] ?? "", sizes[index] ?? 1, align));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) => {
      const parts = wrapped.map((lines, index) => ` ${lines[line] ?? " ".repeat(sizes[index] ?? 0)} `);
      return edge + parts.join(edge) + edge;
    });
  };
  const headers = columns.map(({ header }) => header);
  const between = rule("├", "─", "┼", "┤");
  return [
    rule("┏", "━", "┳", "┓"),
    ...draw(headers, "┃"),
    rule("┡", "━", "╇", "┩"),
    ...rows.flatMap((row, index) => [...(index > 0 ? [between] : []), ...draw(row, "│")]),
    rule("└", "─", "┴", "┘"),
  ];
}

/** Widths that sum to at most `most`: what is too much is taken from each in turn (rich's `ratio_reduce`). */
function fitted(widths: readonly number[], most: number): number[] {
  let excess = widths.reduce((sum, width) => sum + width, 0) - most;
  if (excess <= 0) return [...widths];
  let left = widths.length;
  return widths.map((width) => {
    const taken = Math.min(width, roundHalfToEven(excess / left));
    excess -= taken;
    left -= 1;
    // A blank on either side, and one character.
    return Math.max(width - taken, 3);
  });
}

/** The text in lines of exactly `width` characters, broken at blanks; a longer word ends in an ellipsis. */
function wrap(text: string, width: number, align: TableColumn["align"]): readonly string[] {
  return broken(text, width).map((whole) => {
    const characters = [...whole.trimEnd()];
    const line = characters.length > width ? `${characters.slice(0, width - 1).join("")}…` : characters.join("");
    const missing = Math.max(width - characters.length, 0);
    const before = align === "left" ? 0 : align === "right" ? missing : Math.floor(missing / 2);
    return " ".repeat(before) + line + " ".repeat(missing - before);
  });
}

function broken(text: string, width: number): readonly string[] {
  const lines = [""];
  for (const word of text.match(/\s*\S+\s*/gu) ?? []) {
    const line = lines.at(-1) ?? "";
    const fits = [...line].length + [...word.trimEnd()].length <= width;
    if (fits || line === "") lines[lines.length - 1] = line + word;
    else lines.push(word);
  }
  return lines;
}

/** As Python rounds. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
