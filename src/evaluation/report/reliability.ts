/** @file Calibration: the reliability diagram, before and after the temperature, and what "not sure" means. */
import type { ReliabilityBin } from "../calibration.ts";
import type { Evaluation } from "../evaluate.ts";
import { wilsonInterval } from "../interval.ts";
import type { ReportCalibration, ReportData } from "../report-data.ts";
import { count, counted, decimal, percent, percentOrDash, percentRange } from "../words.ts";
import { type Content, chart, facts, folded, html, type Section, section, table } from "./html.ts";
import { linear } from "./scale.ts";

const [width, height] = [460, 438];
const area = { left: 52, right: 440, top: 12, bottom: 320 };
const strip = { top: 364, bottom: 404 };

type Judged = NonNullable<ReportData["final"]>;

export function reliabilitySection(
  { evaluation, judgedBy }: Judged,
  calibration: ReportCalibration | undefined,
): Section {
  const { before, after, temperature } = evaluation.calibration;
  const isChanged = temperature !== 1;
  const isFlattered = judgedBy !== "test" && calibration !== undefined;
  return section(
    "calibration",
    "Can its probabilities be believed?",
    html`<p>If it says 80 %, it should be right four times in five. ${verdict(evaluation)}${isFlattered && " The temperature and the threshold were chosen by these same photos: on new ones both may do a little worse."}</p>`,
    html`<div class="beside"><figure>${diagram(before.bins, after.bins, isChanged, evaluation)}</figure><div>${legend(isChanged)}${facts(
      [
        [
          "Expected calibration error",
          error(after.expectedCalibrationError, isChanged ? before.expectedCalibrationError : undefined),
        ],
        ["By chance alone, on so few photos", percent(after.errorByChance)],
        ["Log loss", number(after.logLoss, isChanged ? before.logLoss : undefined)],
        ["Brier score (0 to 2)", number(after.brier, isChanged ? before.brier : undefined)],
        [
          "Temperature",
          html`${decimal(temperature)}${calibration !== undefined && html`<span class="quiet">, fitted on ${counted(calibration.temperature.n, "photo")}</span>`}`,
        ],
      ],
    )}</div></div>`,
    notSure(evaluation, calibration),
    folded("The numbers", binTable(after.bins)),
  );
}

function verdict({ calibration: { after } }: Evaluation): string {
  const { expectedCalibrationError, errorByChance } = after;
  const apart = `Over all photos the two are ${percent(expectedCalibrationError)} apart`;
  if (expectedCalibrationError <= 1.5 * errorByChance) {
    return `${apart}, no more than chance would make of perfect probabilities on so many photos.`;
  }
  return `${apart}; with perfect probabilities it would be about ${percent(errorByChance)} by chance.`;
}

function error(after: number, before: number | undefined): Content {
  return html`${percent(after)}${before !== undefined && html`<span class="quiet"> (${percent(before)} before the temperature)</span>`}`;
}

function number(after: number, before: number | undefined): Content {
  return html`${decimal(after)}${before !== undefined && html`<span class="quiet"> (${decimal(before)} before)</span>`}`;
}

function diagram(
  before: readonly ReliabilityBin[],
  after: readonly ReliabilityBin[],
  isChanged: boolean,
  { n, calibration }: Evaluation,
): Content {
  const x = linear([0, 1], [area.left, area.right]);
  const y = linear([0, 1], [area.bottom, area.top]);
  const most = Math.max(1, ...after.map(({ count: photos }) => photos));
  const tall = linear([0, most], [strip.bottom, strip.top]);
  const axis = [0, 0.2, 0.4, 0.6, 0.8, 1].map(
    (tick) =>
      html`<path class="grid" d="M${area.left} ${y(tick)}H${area.right}M${x(tick)} ${area.top}V${area.bottom}"/><text class="end" x="${area.left - 8}" y="${y(tick) + 4}">${Math.round(100 * tick)}</text><text class="middle" x="${x(tick)}" y="${area.bottom + 17}">${Math.round(100 * tick)}</text>`,
  );
  const bars = after.map(({ lower, upper, count: photos }) => {
    if (photos === 0) return undefined;
    const [left, top] = [x(lower) + 1, Math.min(tall(photos), strip.bottom - 1)];
    const [wide, high] = [x(upper) - 1 - left, strip.bottom - top];
    return html`<rect class="bar" x="${left}" y="${top}" width="${wide.toFixed(1)}" height="${high.toFixed(1)}"><title>${title(lower, upper)}: ${counted(photos, "photo")}</title></rect>`;
  });
  const marksBefore = before.map(({ confidence, accuracy, count: photos, lower, upper }) => {
    if (!isChanged || confidence === null || accuracy === null) return undefined;
    const [at, level] = [x(confidence), y(accuracy)];
    return html`<path class="mark before" d="M${at} ${level - 5}L${at + 5} ${level}L${at} ${level + 5}L${at - 5} ${level}Z"><title>before, ${title(lower, upper)}: right on ${percent(accuracy)} of ${counted(photos, "photo")}</title></path>`;
  });
  const marksAfter = after.map((bin) => {
    if (bin.confidence === null || bin.accuracy === null) return undefined;
    const [low, high] = wilsonInterval(bin.correct, bin.count) ?? [0, 1];
    const at = x(bin.confidence);
    return html`<g><title>${title(bin.lower, bin.upper)}: right on ${count(bin.correct)} of ${counted(bin.count, "photo")}, ${percent(bin.accuracy)} (${percentRange([low, high])})</title><line class="whisker" x1="${at}" x2="${at}" y1="${y(low)}" y2="${y(high)}"/><circle class="mark validation" cx="${at}" cy="${y(bin.accuracy)}" r="4.5"/></g>`;
  });
  const description = `Reliability diagram over ${counted(n, "photo")}: expected calibration error ${percent(calibration.after.expectedCalibrationError)}`;
  return chart(width, height, description, [
    axis,
    html`<line class="level" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/>`,
    html`<text class="middle quiet" transform="translate(13 ${(area.top + area.bottom) / 2}) rotate(-90)">right, %</text>`,
    html`<text class="quiet" x="${area.left + 4}" y="${strip.top - 7}">how many photos</text>`,
    bars,
    html`<line class="grid" x1="${area.left}" x2="${area.right}" y1="${strip.bottom}" y2="${strip.bottom}"/>`,
    html`<text class="middle quiet" x="${(area.left + area.right) / 2}" y="${height - 10}">probability it gives its answer, %</text>`,
    marksBefore,
    marksAfter,
  ]);
}

function title(lower: number, upper: number): string {
  return `probability ${Math.round(100 * lower)}–${Math.round(100 * upper)} %`;
}

function legend(isChanged: boolean): Content {
  const sample = (content: Content) =>
    html`<svg class="sample" viewBox="0 0 34 16" width="34" height="16" aria-hidden="true">${content}</svg>`;
  return html`<ul class="legend column"><li>${sample(html`<line class="whisker" x1="17" x2="17" y1="0" y2="16"/><circle class="mark validation" cx="17" cy="8" r="4.5"/>`)}as it is, with 95 % intervals</li>${isChanged && html`<li>${sample(html`<path class="mark before" d="M17 3L22 8L17 13L12 8Z"/>`)}before the temperature</li>`}<li>${sample(html`<line class="level" x1="1" x2="33" y1="8" y2="8"/>`)}perfect</li></ul>`;
}

function notSure({ notSure: figures, n }: Evaluation, calibration: ReportCalibration | undefined): Content {
  const { threshold, answered, coverage, accuracy, accuracyInterval } = figures;
  if (threshold === 0) {
    return html`<h3>“Not sure”</h3><p>Every answer counts: ${reasonForNone(calibration)}</p>`;
  }
  const among =
    accuracy === null || accuracyInterval === null
      ? ""
      : ` Of these it is right on ${percent(accuracy)} (${percentRange(accuracyInterval)}).`;
  return html`<h3>“Not sure”</h3><p>Where its answer has a probability below <strong>${threshold}</strong> it says “not sure”. On these ${counted(n, "photo")} it then answers ${count(answered)}, ${percent(coverage)}.${among} ${basisText(calibration)}</p>`;
}

function reasonForNone(calibration: ReportCalibration | undefined): string {
  if (calibration === undefined) return "no threshold was set.";
  const { basis, target, answered } = calibration.threshold;
  if (answered === 0) return "there were no photos to choose a threshold on.";
  if (basis === "best")
    return `no threshold reaches ${percent(target)} on the photos it was chosen on, nor does leaving answers out bring it closer.`;
  return `answering all of them reaches ${percent(target)} on the photos the threshold was chosen on.`;
}

function basisText(calibration: ReportCalibration | undefined): string {
  if (calibration === undefined) return "";
  const { basis, target } = calibration.threshold;
  const chosen = `It was chosen on ${counted(calibration.temperature.n, "photo")} to be right on ${percent(target)} of what it answers`;
  if (basis === "measured") return `${chosen}, counting the lower end of the 95 % interval.`;
  if (basis === "estimated")
    return `${chosen}; they are too few to be sure of that, so it goes by their probabilities.`;
  return `${chosen}; that is out of reach, and this comes closest of the thresholds that answer half of the photos or more.`;
}

function binTable(bins: readonly ReliabilityBin[]): Content {
  const rows = bins
    .filter(({ count: photos }) => photos > 0)
    .map(({ lower, upper, count: photos, confidence, accuracy, correct }) => {
      const interval = wilsonInterval(correct, photos);
      return [
        `${Math.round(100 * lower)}–${Math.round(100 * upper)}\u00a0%`,
        count(photos),
        percentOrDash(confidence),
        percentOrDash(accuracy),
        interval === null ? "–" : percentRange(interval),
      ];
    });
  const head = ["probability", "photos", "mean probability", "right", "95 % interval"];
  return table("Calibration by probability", head, rows, { className: "numbers" });
}
