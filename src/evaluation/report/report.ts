/** @file The report: one self-contained page about one run. */
import type { Evaluation } from "../evaluate.ts";
import type { JudgedBy, ReportBase, ReportData } from "../report-data.ts";
import { count, counted, decimal, percent, percentRange } from "../words.ts";
import { classesSection } from "./classes.ts";
import { confusionSection } from "./confusion.ts";
import { curvesSection } from "./curves.ts";
import { baseSection, costSection, photosSection, triedSection } from "./facts.ts";
import { type Content, Html, html, named } from "./html.ts";
import { doubtfulSection, mistakesSection } from "./pictures.ts";
import { reliabilitySection } from "./reliability.ts";
import { style } from "./style.ts";
import { repeatSection, useSection } from "./use.ts";

/** Nothing is loaded and nothing runs: pictures are in the page, and there is no script. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * One page of HTML that needs nothing else: no network, no script. Light or dark as the reader's system is, for wide and
 * narrow windows and for paper. What `data` leaves out has no section. Every name in it is escaped.
 */
export function renderReport(data: ReportData): string {
  const { final } = data;
  const evaluation = final?.evaluation;
  const sections = [
    triedSection(data),
    curvesSection(data.curves),
    evaluation && classesSection(evaluation),
    evaluation && confusionSection(evaluation),
    final && reliabilitySection(final, data.calibration),
    mistakesSection(data.mistakes ?? evaluation?.topMistakes, evaluation && evaluation.n - evaluation.correct),
    doubtfulSection(data.doubtful, data.doubtfulCount),
    photosSection(data.photos, data.classNames),
    baseSection(withoutRepeats(data), data.frozen),
    costSection(data),
    useSection(data.artifact),
    repeatSection(data.repeat),
  ].filter((section) => section !== undefined);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${data.name}: report</title>
<style>${new Html(style)}</style>
</head>
<body>
<header>
<p class="kicker">Graftwork report <span aria-hidden="true">·</span> ${named(data.name)}</p>
${headline(data)}
${remarks(data.remarks)}
<nav aria-label="Sections"><ul>${sections.map(({ id, heading }) => html`<li><a href="#${id}">${heading}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(({ body }) => html`${body}\n`)}</main>
</body>
</html>
`.markup;
}

/** The base, without the remarks that stand at the top already. */
function withoutRepeats({ base, remarks: said = [] }: ReportData): ReportBase {
  return { ...base, remarks: base.remarks?.filter((remark) => !said.includes(remark)) };
}

const judgedPhotos: Readonly<Record<JudgedBy, readonly [string, string]>> = {
  test: ["held-back photo", "These photos took no part in learning or in any decision."],
  validation: [
    "validation photo",
    "These photos took no part in learning, but decisions were made by them: on new photos it may be a little worse.",
  ],
  "cross-validation": [
    "photo",
    "There are too few photos to hold any back. Each was judged by a classifier that had not seen it (cross-validation); the final one has learnt from all of them.",
  ],
};

function headline({ final, classNames }: ReportData): Content {
  if (final === undefined) {
    return html`<h1>A classifier of ${counted(classNames.length, "class", "classes")}</h1><p>No photos were set apart to judge it by, so nothing is known of how good it is.</p>`;
  }
  const { evaluation, judgedBy } = final;
  const { n, correct, accuracy, accuracyInterval } = evaluation;
  const [photo, explanation] = judgedPhotos[judgedBy];
  return html`<h1>Right on ${count(correct)} of ${counted(n, photo)}</h1>
<p class="figure"><strong>${percent(accuracy)}</strong> <span>95 % interval ${percentRange(accuracyInterval)}</span></p>
${intervalBar(evaluation, classNames.length)}
<p>${explanation}</p>
${keyFigures(evaluation)}`;
}

/** Where the accuracy and its interval lie between always wrong and always right, beside always guessing the largest class. */
function intervalBar({ accuracy, accuracyInterval: [low, high], perClass, n }: Evaluation, classes: number): Content {
  const place = (share: number) => (share * 100).toFixed(2);
  const largest = Math.max(...perClass.map(({ support }) => support)) / n;
  return html`<svg class="interval" viewBox="0 0 100 6" preserveAspectRatio="none" width="100%" height="14" aria-hidden="true"><rect class="track" x="0" y="2" width="100" height="2"/><rect class="fill right" x="0" y="2" width="${place(accuracy)}" height="2"/><rect class="band" x="${place(low)}" y="0" width="${place(Math.max(high - low, 0.002))}" height="6"/></svg>${classes > 1 && html`<p class="quiet">Always saying the largest class would be right on ${percent(largest)}.</p>`}`;
}

function keyFigures({ balancedAccuracy, logLoss, calibrationError, notSure }: Evaluation): Content {
  const figures: readonly (readonly [string, string])[] = [
    ["balanced accuracy", percent(balancedAccuracy)],
    ["log loss", decimal(logLoss)],
    ["calibration error", percent(calibrationError)],
    ...(notSure.threshold > 0 ? [["answered, else “not sure”", percent(notSure.coverage)] as const] : []),
  ];
  return html`<dl class="key">${figures.map(([term, value]) => html`<div><dd>${value}</dd><dt>${term}</dt></div>`)}</dl>`;
}

function remarks(sentences: readonly string[] | undefined): Content {
  if (sentences === undefined || sentences.length === 0) return undefined;
  return html`<ul class="remarks">${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>`;
}
