/** @file What it was made from and how: what was tried, the photos, the base, what stayed frozen, time and memory. */
import type { Alternative, PairedComparison, PairedLossComparison } from "../paired.ts";
import type { ReportBase, ReportData, ReportDecision, ReportFrozen, ReportPhotos } from "../report-data.ts";
import { bytes, count, counted, decimal, duration, percent, percentRange, points, pValueText } from "../words.ts";
import { type Content, facts, folded, html, listedName, named, type Section, section, table } from "./html.ts";

export function triedSection({ tried, decision }: ReportData): Section | undefined {
  if ((tried === undefined || tried.length === 0) && decision === undefined) return undefined;
  const rows = (tried ?? []).map((each) => [
    html`${each.name}${each.isKept && html` <span class="kept-mark">kept</span>`}${each.description !== undefined && html`<span class="note">${each.description}</span>`}`,
    percent(each.accuracy),
    percentRange(each.accuracyInterval),
    each.logLoss === undefined ? "–" : decimal(each.logLoss),
    count(each.n),
  ]);
  return section(
    "tried",
    "What was tried",
    rows.length > 0 &&
      table("What was tried", ["model", "accuracy", "95 % interval", "log loss", "photos"], rows, {
        className: "numbers",
      }),
    decision !== undefined && html`<p>${decisionText(decision, tried)}</p>`,
    decision?.answers !== undefined && html`<p class="quiet">${answersText(decision.answers)}</p>`,
    decision?.losses !== undefined && html`<p class="quiet">${lossesText(decision.losses)}</p>`,
  );
}

function decisionText({ reason, answers }: ReportDecision, tried: ReportData["tried"]): string {
  const end = reason.endsWith(".") ? "" : ".";
  if (answers === undefined) return `Fine-tuning was not tried: ${reason}${end}`;
  const kept = tried?.find(({ isKept }) => isKept)?.name;
  return `${kept === undefined ? "Decided" : `The ${kept} was kept`}: ${reason}${end}`;
}

function answersText({ n, onlyA, onlyB, difference, interval, pValue, alternative }: PairedComparison): string {
  const [low, high] = interval;
  return `On the ${counted(n, "photo")} it was decided by, only the fine-tuned model is right about ${count(onlyB)} and only the frozen one about ${count(onlyA)}: ${points(difference)} (95 % interval ${points(low)} to ${points(high)}), ${pValueText(pValue)}${sidesText(alternative)} by McNemar’s exact test.`;
}

function sidesText(alternative: Alternative): string {
  return alternative === "two-sided" ? "" : " (one-sided)";
}

function lossesText({ difference, interval, pValue, n, alternative }: PairedLossComparison): string {
  const [low, high] = interval;
  const [change, by] = difference >= 0 ? ["lowers", difference] : ["raises", -difference];
  const bounds = difference >= 0 ? [low, high] : [-high, -low];
  const [from, to] = bounds.map((bound) => decimal(bound).replace("-", "−"));
  return `Fine-tuning ${change} the mean log loss of ${counted(n, "photo")} by ${decimal(by)} (95 % interval ${from} to ${to}), ${pValueText(pValue)}${sidesText(alternative)} by a permutation test.`;
}

/** Of how many classes the counts stand on the page; those of more are folded. */
const countsLimit = 12;
/** How many of the skipped files are named. */
const skippedLimit = 200;

export function photosSection(photos: ReportPhotos, classNames: readonly string[]): Section {
  const parts = photos.parts.filter(({ counts }) => counts.some((each) => each > 0));
  const total = (counts: readonly number[]) => counts.reduce((sum, each) => sum + each, 0);
  const all = total(parts.map(({ counts }) => total(counts)));
  const rows = [
    ...classNames.map((name, index) => [
      listedName(name),
      ...parts.map(({ counts }) => count(counts[index] ?? 0)),
      count(total(parts.map(({ counts }) => counts[index] ?? 0))),
    ]),
    ["all classes", ...parts.map(({ counts }) => count(total(counts))), count(all)],
  ];
  const byClass = table("Photos by class and part", ["class", ...parts.map(({ name }) => name), "all"], rows, {
    className: "numbers totals",
  });
  const { skipped } = photos;
  return section(
    "photos",
    "The photos",
    html`<p>${counted(all, "photo")} of ${counted(classNames.length, "class", "classes")}${photos.layout !== undefined && ` (${photos.layout})`}: ${listed(parts.map(({ name, counts }) => `${count(total(counts))} ${partPurpose(name)}`))}.</p>`,
    classNames.length <= countsLimit ? byClass : folded("Photos by class", byClass),
    skipped.length > 0 &&
      html`<h3>Skipped</h3><p>${counted(skipped.length, "file was", "files were")} not used.</p>${skippedTable(skipped)}`,
    photos.digest !== undefined && facts([["Digest of the photos", digest(photos.digest)]]),
  );
}

function partPurpose(name: string): string {
  if (name === "train") return "to learn from";
  if (name === "validation") return "set apart to decide by";
  return name === "test" ? "held back for the final figures" : `in ${name}`;
}

function skippedTable(skipped: ReportPhotos["skipped"]): Content {
  const shown = skipped.slice(0, skippedLimit);
  const rows = shown.map(({ file, reason }) => [named(file), reason]);
  const rest = skipped.length - shown.length;
  const content = html`${table("Files that were skipped, and why", ["file", "why"], rows, { className: "files" })}${rest > 0 && html`<p class="quiet">And ${counted(rest, "other")}.</p>`}`;
  return shown.length > 8 ? folded("Which, and why", content) : content;
}

function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

export function baseSection(base: ReportBase, frozen: ReportFrozen | undefined): Section {
  return section(
    "base",
    "The base, and what stayed frozen",
    facts([
      ["Base", named(base.name)],
      ["From", base.source === undefined ? undefined : named(base.source)],
      ["Licence", base.license === undefined ? undefined : (base.license ?? "not stated in its file")],
      ["Says of a picture", base.features === undefined ? undefined : counted(base.features, "number")],
      ["Digest of its file", base.digest === undefined ? undefined : digest(base.digest)],
    ]),
    base.remarks !== undefined &&
      base.remarks.length > 0 &&
      html`<ul class="remarks">${base.remarks.map((remark) => html`<li>${remark}</li>`)}</ul>`,
    frozen !== undefined && proof(frozen),
  );
}

function proof({ tensors, parameters, trainedParameters, trained, before, after }: ReportFrozen): Content {
  const isSame = before === after;
  const what = `${counted(tensors, "tensor")}${parameters === undefined ? "" : ` (${counted(parameters, "number")})`}`;
  const sentence = isSame
    ? html`<p><span class="mark-same" aria-hidden="true">✓</span> ${what} stayed frozen: their digest in the artifact is the same as before training, bit for bit.</p>`
    : html`<p class="alarm"><strong>✗ The frozen tensors are not what they were before training.</strong> This must not happen: do not trust this artifact, and report it.</p>`;
  return html`<h3>What stayed frozen, and the proof</h3>${sentence}${facts([
    ["Trained", trained],
    ["Numbers trained", trainedParameters === undefined ? undefined : count(trainedParameters)],
    ["Frozen, before", digest(before)],
    ["Frozen, after", digest(after)],
  ])}`;
}

function digest(value: string): Content {
  return html`<code class="digest">${value}</code>`;
}

export function costSection({ timings = [], peakMemoryBytes }: ReportData): Section | undefined {
  if (timings.length === 0 && peakMemoryBytes === undefined) return undefined;
  const total = timings.reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = [
    ...timings.map(({ stage, seconds }) => [stage, duration(seconds), total > 0 ? percent(seconds / total, 0) : "–"]),
    ...(timings.length > 1 ? [["in all", duration(total), ""]] : []),
  ];
  return section(
    "cost",
    "Time and memory",
    rows.length > 0 &&
      table("Time by stage", ["stage", "time", "part"], rows, {
        className: `numbers${timings.length > 1 ? " totals" : ""}`,
      }),
    peakMemoryBytes !== undefined && facts([["Most memory at once", bytes(peakMemoryBytes)]]),
  );
}
