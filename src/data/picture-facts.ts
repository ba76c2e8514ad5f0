/** @file What a folder's pictures are like, before anything is made of them: sizes and colours. */

/** What a file says of its picture. */
export interface PictureFacts {
  readonly width: number;
  readonly height: number;
  /** As stored; all become RGB. */
  readonly colours: "rgb" | "grey" | "transparent" | "cmyk";
}

/** The pictures of a folder together. */
export interface PictureSummary {
  readonly count: number;
  /** Sides in pixels, width and height, of the pictures whose area is smallest, in the middle, and largest. */
  readonly smallest: readonly [width: number, height: number];
  readonly median: readonly [width: number, height: number];
  readonly largest: readonly [width: number, height: number];
  /** How many have a longer side of more than twice the shorter one. */
  readonly elongated: number;
  /** How many are stored in each way. */
  readonly colours: { readonly [C in PictureFacts["colours"]]: number };
}

/** Sums up; `undefined` where there is none. */
export function summarizePictures(facts: readonly PictureFacts[]): PictureSummary | undefined {
  const byArea = [...facts].sort((one, other) => one.width * one.height - other.width * other.height);
  const at = (index: number): [number, number] => [byArea[index]?.width ?? 0, byArea[index]?.height ?? 0];
  if (facts.length === 0) return undefined;
  const colours = { rgb: 0, grey: 0, transparent: 0, cmyk: 0 };
  for (const each of facts) colours[each.colours] += 1;
  return {
    count: facts.length,
    smallest: at(0),
    median: at(Math.floor(facts.length / 2)),
    largest: at(facts.length - 1),
    elongated: facts.filter(({ width, height }) => Math.max(width, height) > 2 * Math.min(width, height)).length,
    colours,
  };
}
