/** @file The confusion matrix, from two classes to many: a table where there is room, a drawing where there is not. */
import type { Evaluation } from "../evaluate.ts";
import { mostConfused } from "../text.ts";
import { count, counted, percent } from "../words.ts";
import { type Content, chart, html, listedName, named, type Section, section, shortened, table } from "./html.ts";

/** Up to how many classes the numbers stand in a table. */
const tableLimit = 12;
/** How many of the pairs are listed. */
const shownPairs = 12;

export function confusionSection({ confusion, perClass }: Evaluation): Section | undefined {
  if (perClass.length < 2) return undefined;
  const names = perClass.map(({ name }) => name);
  const isSmall = names.length <= tableLimit;
  return section(
    "confusion",
    "What is taken for what",
    html`<p>Each row is what photos are, each column what the classifier says of them. The stronger a cell's colour, the larger its part of the row${isSmall ? "" : "; a cell's numbers show when it is pointed at, and the most frequent mix-ups are listed below"}.</p>`,
    isSmall ? matrixTable(confusion, names) : matrixDrawing(confusion, names),
    html`<ul class="legend"><li><span class="swatch right"></span>right, on the diagonal</li><li><span class="swatch wrong"></span>wrong, off it</li></ul>`,
    pairsTable(confusion, names),
  );
}

function matrixTable(confusion: readonly (readonly number[])[], names: readonly string[]): Content {
  const isTurned = names.length > 4 || names.some((name) => [...name].length > 12);
  const heads = names.map(
    (name) =>
      html`<th scope="col" class="${isTurned ? "turned" : ""}" title="${name}"><span>${named(shortened(name, 24))}</span></th>`,
  );
  const rows = confusion.map((row, label) => {
    const total = sum(row);
    const name = names[label] ?? "";
    return html`<tr><th scope="row" title="${name}">${named(shortened(name, 32))}</th>${row.map((times, said) => {
      const share = total === 0 ? 0 : times / total;
      return html`<td class="cell ${said === label ? "right" : "wrong"} level-${Math.ceil(share * 10)}" title="${cellTitle(names, label, said, times, total)}">${times === 0 ? html`<span class="none">0</span>` : count(times)}</td>`;
    })}</tr>`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="matrix"><caption class="unseen">Confusion matrix: how many photos of each class are said to be of each</caption><thead><tr><td class="corner"><span>is ↓ said →</span></td>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

function cellTitle(names: readonly string[], label: number, said: number, times: number, total: number): string {
  const share = total === 0 ? "" : ` (${percent(times / total)})`;
  return `${names[label] ?? ""}, said to be ${names[said] ?? ""}: ${count(times)} of ${counted(total, "photo")}${share}`;
}

/** Only cells that are not empty are drawn: no more than there are photos. */
function matrixDrawing(confusion: readonly (readonly number[])[], names: readonly string[]): Content {
  const classes = names.length;
  const cell = classes <= 30 ? 24 : classes <= 60 ? 14 : classes <= 150 ? 11 : 4;
  const hasNames = cell >= 11;
  const [fontSize, length] = [Math.min(12, cell - 2), 18];
  const margin = hasNames
    ? Math.round(Math.min(length, Math.max(...names.map((name) => name.length))) * fontSize * 0.62) + 14
    : 16;
  const size = margin + classes * cell + 2;
  const at = (index: number) => margin + index * cell;
  const total = confusion.map(sum);
  const cells = confusion.map((row, label) =>
    row.map((times, said) => {
      if (times === 0) return undefined;
      const share = times / (total[label] ?? 1);
      return html`<g class="level-${Math.ceil(share * 10)}"><title>${cellTitle(names, label, said, times, total[label] ?? 0)}</title><rect class="fill ${said === label ? "right" : "wrong"}" x="${at(said)}" y="${at(label)}" width="${cell}" height="${cell}"/>${cell >= 20 && html`<text class="middle" font-size="10" x="${at(said) + cell / 2}" y="${at(label) + cell / 2 + 3.5}">${times}</text>`}</g>`;
    }),
  );
  const lines = Array.from({ length: classes + 1 }, (_, index) => index)
    .filter((index) => index % (classes <= 30 ? 1 : classes <= 150 ? 10 : 100) === 0 || index === classes)
    .map(
      (index) =>
        html`<path class="grid" d="M${at(0)} ${at(index)}H${at(classes)}M${at(index)} ${at(0)}V${at(classes)}"/>`,
    );
  const labels =
    hasNames &&
    names.map((name, index) => {
      const [short, middle] = [shortened(name, length), at(index) + cell / 2 + fontSize * 0.35];
      return html`<text class="end" font-size="${fontSize}" x="${margin - 6}" y="${middle}"><title>${name}</title>${short}</text><text font-size="${fontSize}" transform="translate(${middle} ${margin - 6}) rotate(-90)"><title>${name}</title>${short}</text>`;
    });
  const description = `Confusion matrix of ${classes} classes; the most frequent mix-ups are in the table below`;
  return html`<div class="scroll drawing" tabindex="0" role="region" aria-label="Confusion matrix">${chart(size, size, description, [lines, cells, labels])}</div>`;
}

function pairsTable(confusion: readonly (readonly number[])[], names: readonly string[]): Content {
  const pairs = mostConfused(confusion);
  if (pairs.length === 0) return html`<p>Nothing is mixed up.</p>`;
  if (names.length === 2) return undefined;
  const rows = pairs.slice(0, shownPairs).map(({ label, said, count: times }) => {
    const total = sum(confusion[label] ?? []);
    return [listedName(names[label] ?? ""), listedName(names[said] ?? ""), count(times), percent(times / total)];
  });
  const rest = pairs.length - rows.length;
  return html`<h3>Mixed up most</h3>${table("Classes that are mixed up most", ["is", "said to be", "photos", "of the class"], rows, { className: "numbers pairs" })}${rest > 0 && html`<p class="quiet">And ${counted(rest, "other pair")}.</p>`}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
