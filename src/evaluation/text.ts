/** @file An evaluation as text, for a terminal. */
import type { ClassFigures, Evaluation } from "./evaluate.ts";
import { count, counted, decimal, percent, percentOrDash, percentRange } from "./words.ts";

/** How many classes and mixed-up pairs are shown before the rest is only counted. */
const [shownClasses, shownPairs] = [20, 5];
const nameWidth = 28;

/**
 * The figures in some lines: accuracy, a table of the classes (the worst where they are many), what is mixed up most,
 * calibration and "not sure". Control characters in names are shown as `?`, so that no name can steer the terminal.
 */
export function renderEvaluation(evaluation: Evaluation): string {
  const { n, correct, accuracy, accuracyInterval, balancedAccuracy, logLoss, calibration } = evaluation;
  const { before, after, temperature } = calibration;
  const warmed =
    temperature === 1
      ? ""
      : ` (${percent(before.expectedCalibrationError)} before temperature ${decimal(temperature)})`;
  const lines = [
    `Right on ${count(correct)} of ${counted(n, "photo")}: ${percent(accuracy)} (95 % interval ${percentRange(accuracyInterval)})`,
    `Balanced accuracy ${percent(balancedAccuracy)} · log loss ${decimal(logLoss)} · calibration error ${percent(after.expectedCalibrationError)}${warmed}`,
    ...notSureLine(evaluation),
    "",
    ...classTable(evaluation.perClass),
    ...mixedUp(evaluation),
  ];
  return `${lines.join("\n").replaceAll("\u00a0", " ")}\n`;
}

function notSureLine({ notSure: { threshold, coverage, accuracy } }: Evaluation): string[] {
  if (threshold === 0) return [];
  const among = accuracy === null ? "" : `, of which ${percent(accuracy)} are right`;
  return [
    `Under a probability of ${threshold} it says "not sure": it answers ${percent(coverage)} of the photos${among}`,
  ];
}

function classTable(perClass: readonly ClassFigures[]): string[] {
  const shown =
    perClass.length <= shownClasses
      ? perClass
      : [...perClass].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2)).slice(0, shownClasses);
  const rows = shown.map((each) => [
    printable(each.name),
    count(each.support),
    percentOrDash(each.precision),
    percentOrDash(each.recall),
    percentOrDash(each.f1),
    each.recallInterval === null ? "–" : percentRange(each.recallInterval),
  ]);
  const title = perClass.length <= shownClasses ? "class" : `class (the worst ${shown.length} of ${perClass.length})`;
  return table([[title, "photos", "precision", "recall", "F1", "recall, 95 %"], ...rows]);
}

function mixedUp({ confusion, perClass }: Evaluation): string[] {
  const pairs = mostConfused(confusion);
  if (pairs.length === 0) return [];
  const name = (index: number) => printable(perClass[index]?.name ?? "");
  const shown = pairs
    .slice(0, shownPairs)
    .map((pair) => `  ${count(pair.count)} × ${name(pair.label)} → ${name(pair.said)}`);
  const rest = pairs.length > shownPairs ? [`  and ${counted(pairs.length - shownPairs, "other pair")}`] : [];
  return ["", "Mixed up (true → said):", ...shown, ...rest];
}

/** A class taken for another, and how often. */
export interface ConfusedPair {
  readonly label: number;
  readonly said: number;
  readonly count: number;
}

/** What is mixed up, most often first; of equals, in the order of the classes. */
export function mostConfused(confusion: readonly (readonly number[])[]): ConfusedPair[] {
  const pairs = confusion.flatMap((row, label) =>
    row.flatMap((times, said) => (times > 0 && said !== label ? [{ label, said, count: times }] : [])),
  );
  return pairs.sort((a, b) => b.count - a.count || a.label - b.label || a.said - b.said);
}

/** Columns padded to one width: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => widthOf(row[at] ?? ""))));
  return rows.map((row) =>
    row
      .map((cell, at) => {
        const space = " ".repeat((widths[at] ?? 0) - widthOf(cell));
        return at === 0 ? cell + space : space + cell;
      })
      .join("  "),
  );
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const wide = /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|\ufe0f/u;

/** How many columns a terminal takes for it: two for an emoji or an East Asian character. */
function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** A name on one line, without what steers a terminal or turns the text around, cut where it is long. */
function printable(name: string): string {
  const plain = name.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "?");
  if (widthOf(plain) <= nameWidth) return plain;
  let cut = "";
  for (const { segment } of segmenter.segment(plain)) {
    if (widthOf(cut + segment) > nameWidth - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}
