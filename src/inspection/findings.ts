/** @file What does not fit by itself between a base and photos, each with what is done about it. */
import type { PictureSummary } from "../data/index.ts";
import type { Base, ValueRange } from "../model/index.ts";
import type { Finding } from "./report.ts";
import type { RangeFinding } from "./statistics.ts";

/** Another range must be so many times closer to what batch norm saw before it is believed. */
export const plainMargin = 3;

/** The photos, as far as findings need them. */
export interface PhotosAtHand {
  readonly classNames: readonly string[];
  /** By class. */
  readonly counts: readonly number[];
  readonly skipped: number;
  readonly pictures: PictureSummary | undefined;
}

/** What is between the sizes and colours of photos and those that the base takes. */
export function pictureFindings({ recipe }: Pick<Base, "recipe">, pictures: PictureSummary): Finding[] {
  const { height, width, aspect } = recipe;
  const show = ([across, down]: readonly [number, number]) => `${across}×${down}`;
  const [medianWidth, medianHeight] = pictures.median;
  const findings: Finding[] = [];
  const isSame = [pictures.smallest, pictures.largest].every(([across, down]) => across === width && down === height);
  if (!isSame) {
    findings.push({
      severity: "fix",
      about: "size",
      what: `The base takes ${width}×${height}; the photos have ${show(pictures.smallest)} to ${show(pictures.largest)}, in the middle ${show(pictures.median)}.`,
      action: `Each is resized to ${width}×${height}${aspect === "stretch" ? "; sides are stretched to fit" : ", its aspect kept"}.`,
    });
  }
  if (medianWidth * medianHeight < (width * height) / 4) {
    findings.push({
      severity: "choice",
      about: "size",
      what: `Most photos are less than half as large as what the base takes.`,
      action: `They are enlarged, which adds nothing: a base for smaller pictures, or --image-size ${Math.max(32, Math.min(medianWidth, medianHeight))} where the base allows it, is faster.`,
    });
  }
  if (pictures.elongated > pictures.count / 4 && aspect === "stretch") {
    findings.push({
      severity: "note",
      about: "size",
      what: `${pictures.elongated} of ${pictures.count} photos are more than twice as long as wide.`,
      action: "Stretched to a square they look squeezed, in training and in use alike.",
    });
  }
  const { grey, transparent, cmyk } = pictures.colours;
  const others = [
    grey > 0 ? `${grey} grey` : "",
    transparent > 0 ? `${transparent} with transparency` : "",
    cmyk > 0 ? `${cmyk} CMYK` : "",
  ].filter(Boolean);
  if (others.length > 0) {
    findings.push({
      severity: "fix",
      about: "channels",
      what: `The base takes three channels, RGB; ${others.join(", ")} of ${pictures.count} photos are stored otherwise.`,
      action: "All become RGB: grey is repeated, what is transparent is laid over white.",
    });
  }
  return findings;
}

/** What is wrong with the classes and their counts. */
export function classFindings({ classNames, counts, skipped }: PhotosAtHand): Finding[] {
  const findings: Finding[] = [];
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (classNames.length < 2) {
    findings.push({
      severity: "stop",
      about: "classes",
      what: `A classifier tells at least two classes apart; there ${classNames.length === 1 ? "is one" : "are none"}.`,
      action: "Give a folder with a folder of photos for each class.",
    });
  }
  const few = classNames.filter((_, index) => (counts[index] ?? 0) < 5);
  if (few.length > 0 && classNames.length >= 2) {
    findings.push({
      severity: "choice",
      about: "classes",
      what: `${few.slice(0, 5).join(", ")}${few.length > 5 ? ` and ${few.length - 5} more` : ""} ${few.length === 1 ? "has" : "have"} fewer than 5 photos.`,
      action: "More photos of these help more than anything else.",
    });
  }
  const [most, least] = [Math.max(0, ...counts), Math.min(...counts)];
  if (classNames.length >= 2 && least > 0 && most > 10 * least) {
    findings.push({
      severity: "choice",
      about: "classes",
      what: `The largest class has ${most} photos, the smallest ${least}.`,
      action: "With --class-weights balanced each class counts the same.",
    });
  }
  if (skipped > 0) {
    findings.push({
      severity: "fix",
      about: "photos",
      what: `${skipped} of ${total + skipped} files are no whole pictures.`,
      action: "They are skipped, and named.",
    });
  }
  return findings;
}

/** What batch norm says of the range, beside what the file, the family or the user says. */
export function rangeFindings(stated: ValueRange | undefined, found: RangeFinding | undefined): Finding[] {
  const [best] = found?.trials ?? [];
  if (found === undefined || best === undefined) {
    if (stated !== undefined) return [];
    const what = "Nobody says which values the base was trained on, and it has no batch norm to tell by.";
    return [
      {
        severity: "choice",
        about: "range",
        what,
        action: "Training tries the usual ones and keeps what tells the classes apart best; --range says it.",
      },
    ];
  }
  const isPlain = found.margin >= plainMargin;
  const own = stated && found.trials.find(({ range }) => isSameRange(range, stated));
  const evidence = `under ${best.range.name} its first ${found.batchNorms} batch norms are ${figure(best.divergence)} nats from their stored statistics`;
  if (stated === undefined) {
    return [
      {
        severity: isPlain ? "fix" : "choice",
        about: "range",
        what: `Nobody says which values the base was trained on; ${evidence}, ${isPlain ? "" : "only "}${figure(found.margin)} times closer than under the next range.`,
        action: isPlain ? `${best.range.name} is taken.` : "Training decides between them; --range says it.",
      },
    ];
  }
  if (own === undefined || own === best || !isPlain || own.divergence < plainMargin * Math.max(best.divergence, 0.02))
    return [];
  return [
    {
      severity: "choice",
      about: "range",
      what: `The base is given ${stated.name}, where they are ${figure(own.divergence)} nats away; ${evidence}. It was most likely trained on ${best.range.name}.`,
      action: `If that is so, say --range "${best.range.name}".`,
    },
  ];
}

/** Whether two ranges give the same values, to a thousandth of the span. */
function isSameRange(one: ValueRange, other: ValueRange): boolean {
  if (one.channels !== other.channels) return false;
  const span = Math.max(...one.scale.map((each) => Math.abs(255 * each)));
  return one.scale.every((scale, channel) => {
    const shift = (one.offset[channel] ?? 0) - (other.offset[channel] ?? 0);
    const ends = [shift, shift + 255 * (scale - (other.scale[channel] ?? 0))];
    return ends.every((end) => Math.abs(end) <= span / 1000);
  });
}

function figure(value: number): string {
  return Number(value.toPrecision(2)).toLocaleString("en-US");
}
