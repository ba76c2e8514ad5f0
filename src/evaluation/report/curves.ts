/** @file Learning curves: loss and accuracy by epoch, with a mark where each stage begins. */
import type { ReportCurves, ReportData, ReportEpoch } from "../report-data.ts";
import { decimal, percent, percentOrDash } from "../words.ts";
import { type Content, chart, folded, html, type Section, section, table } from "./html.ts";
import { linear, ticks } from "./scale.ts";

interface Measure {
  readonly name: string;
  readonly train: (epoch: ReportEpoch) => number | undefined;
  readonly validation: (epoch: ReportEpoch) => number | undefined;
  readonly start: number | undefined;
  readonly show: (value: number) => string;
  /** What the axis never goes beyond. */
  readonly limits: readonly [number, number];
}

const [width, height] = [460, 270];
const area = { left: 52, right: 446, top: 26, bottom: 232 };

/** The section, or nothing where there is no epoch to draw and no reason is given. */
export function curvesSection(curves: ReportData["curves"]): Section | undefined {
  if (typeof curves === "string") return section("curves", "Learning curves", html`<p>${curves}</p>`);
  const epochs = curves?.stages.flatMap((stage) => stage.epochs) ?? [];
  if (curves === undefined || epochs.length === 0) return undefined;
  const measures: readonly Measure[] = [
    {
      name: "Loss",
      train: ({ loss }) => finite(loss),
      validation: ({ valLoss }) => finite(valLoss),
      start: finite(curves.start?.valLoss),
      show: decimal,
      limits: [0, Number.POSITIVE_INFINITY],
    },
    {
      name: "Accuracy",
      train: ({ accuracy }) => finite(accuracy),
      validation: ({ valAccuracy }) => finite(valAccuracy),
      start: finite(curves.start?.valAccuracy),
      show: (value) => percent(value),
      limits: [0, 1],
    },
  ];
  return section(
    "curves",
    "Learning curves",
    html`<div class="charts">${measures.map((measure) => curveChart(measure, epochs, curves))}</div>`,
    legend(curves),
    folded("The numbers", epochTable(curves)),
  );
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

function curveChart(measure: Measure, epochs: readonly ReportEpoch[], curves: ReportCurves): Content {
  const values = [
    ...epochs.flatMap((epoch) => [measure.train(epoch), measure.validation(epoch)]),
    measure.start,
  ].filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const [low, high] = bounds(values, measure.limits);
  const x = linear([0.5, epochs.length + 0.5], [area.left, area.right]);
  const y = linear([low, high], [area.bottom, area.top]);
  const last = [...epochs]
    .reverse()
    .map(measure.validation)
    .find((value) => value !== undefined);
  const description = `${measure.name} by epoch over ${epochs.length} epochs${last === undefined ? "" : `; at the end ${measure.show(last)} on validation photos`}`;
  const lines = ticks(low, high, 5).map(
    (tick) =>
      html`<line class="grid" x1="${area.left}" x2="${area.right}" y1="${y(tick)}" y2="${y(tick)}"/><text class="end" x="${area.left - 8}" y="${y(tick) + 4}">${axisLabel(tick, measure)}</text>`,
  );
  const numbers = ticks(1, epochs.length, Math.min(8, epochs.length)).filter(Number.isInteger);
  const level =
    measure.start === undefined
      ? undefined
      : html`<line class="level" x1="${area.left}" x2="${area.right}" y1="${y(measure.start)}" y2="${y(measure.start)}"><title>${curves.start?.name ?? ""}: ${measure.show(measure.start)}</title></line>`;
  return html`<figure><figcaption>${measure.name}</figcaption>${chart(width, height, description, [
    lines,
    numbers.map((tick) => html`<text class="middle" x="${x(tick)}" y="${area.bottom + 18}">${tick}</text>`),
    html`<text class="middle quiet" x="${(area.left + area.right) / 2}" y="${height - 4}">epoch</text>`,
    stageMarks(curves, x),
    level,
    series(epochs, measure.train, "train", x, y, measure),
    series(epochs, measure.validation, "validation", x, y, measure),
    keptMarks(curves, measure, x, y),
  ])}</figure>`;
}

function axisLabel(tick: number, { limits, show }: Measure): string {
  if (limits[1] !== 1) return String(Number(tick.toPrecision(6)));
  return show(tick).replace(/\.0(?=\D)/, "");
}

/** The range of the values with some air, within the limits. */
function bounds(values: readonly number[], [least, most]: readonly [number, number]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = Math.max((high - low) * 0.08, high * 0.005, 1e-6);
  return [Math.max(least, low - air), Math.min(most, high + air)];
}

function series(
  epochs: readonly ReportEpoch[],
  read: (epoch: ReportEpoch) => number | undefined,
  className: string,
  x: (value: number) => number,
  y: (value: number) => number,
  { show }: Measure,
): Content {
  const points = epochs.flatMap((epoch, index) => {
    const value = read(epoch);
    return value === undefined
      ? []
      : [{ at: x(index + 1), height: y(value), title: `epoch ${index + 1}, ${className}: ${show(value)}` }];
  });
  const path = points.map((point, index) => `${index === 0 ? "M" : "L"}${point.at} ${point.height}`).join("");
  const isDense = points.length > 60;
  return html`<path class="curve ${className}" d="${path}"/>${
    !isDense &&
    points.map(({ at, height: level, title }) =>
      className === "train"
        ? html`<rect class="mark train" x="${at - 3}" y="${level - 3}" width="6" height="6"><title>${title}</title></rect>`
        : html`<circle class="mark validation" cx="${at}" cy="${level}" r="3.5"><title>${title}</title></circle>`,
    )
  }`;
}

function stageMarks({ stages }: ReportCurves, x: (value: number) => number): Content {
  if (stages.length < 2) return undefined;
  let before = 0;
  return stages.map(({ name, epochs }) => {
    const at = x(before + 0.5);
    before += epochs.length;
    return html`<line class="stage" x1="${at}" x2="${at}" y1="${area.top - 6}" y2="${area.bottom}"/><text class="quiet" x="${at + 4}" y="${area.top - 10}">${name}</text>`;
  });
}

function keptMarks(
  { stages }: ReportCurves,
  { validation, show }: Measure,
  x: (value: number) => number,
  y: (value: number) => number,
): Content {
  let before = 0;
  return stages.map(({ epochs, kept }) => {
    const first = before;
    before += epochs.length;
    const epoch = kept === undefined ? undefined : epochs[kept];
    const value = epoch === undefined ? undefined : validation(epoch);
    if (kept === undefined || value === undefined) return undefined;
    return html`<circle class="kept" cx="${x(first + kept + 1)}" cy="${y(value)}" r="7"><title>kept: epoch ${first + kept + 1}, ${show(value)}</title></circle>`;
  });
}

function legend({ stages, start }: ReportCurves): Content {
  const sample = (content: Content) =>
    html`<svg class="sample" viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">${content}</svg>`;
  const hasKept = stages.some(({ kept }) => kept !== undefined);
  return html`<ul class="legend"><li>${sample(html`<path class="curve train" d="M1 7L33 7"/><rect class="mark train" x="14" y="4" width="6" height="6"/>`)}training photos</li><li>${sample(html`<path class="curve validation" d="M1 7L33 7"/><circle class="mark validation" cx="17" cy="7" r="3.5"/>`)}validation photos</li>${start !== undefined && html`<li>${sample(html`<line class="level" x1="1" x2="33" y1="7" y2="7"/>`)}${start.name}</li>`}${hasKept && html`<li>${sample(html`<circle class="kept" cx="17" cy="7" r="6"/>`)}the epoch that was kept</li>`}</ul>`;
}

function epochTable({ stages }: ReportCurves): Content {
  const number = (value: number | undefined) => (value === undefined || !Number.isFinite(value) ? "–" : decimal(value));
  const share = (value: number | undefined) => percentOrDash(finite(value) ?? null);
  let epoch = 0;
  const rows = stages.flatMap(({ name, epochs }) =>
    epochs.map((each) => [
      String(++epoch),
      name,
      number(each.loss),
      share(each.accuracy),
      number(each.valLoss),
      share(each.valAccuracy),
    ]),
  );
  const head = ["epoch", "stage", "loss", "accuracy", "validation loss", "validation accuracy"];
  return table("Loss and accuracy by epoch", head, rows, { className: "numbers" });
}
