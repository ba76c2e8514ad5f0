/** @file Names: their order, and how they stand in a sentence. */

/** By code point, as Python sorts strings: `sort`'s own order puts emoji before some letters. Names are well-formed. */
export function byCodePoint(one: string, other: string): number {
  const shorter = Math.min(one.length, other.length);
  let at = 0;
  while (at < shorter && one.charCodeAt(at) === other.charCodeAt(at)) at += 1;
  if (at === shorter) return one.length - other.length;
  return codePointAround(one, at) - codePointAround(other, at);
}

/** The code point that the unit at `at` is, or is the second half of. */
function codePointAround(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  const isSecondHalf = unit >= 0xdc00 && unit <= 0xdfff && (text.codePointAt(at - 1) ?? 0) > 0xffff;
  return text.codePointAt(isSecondHalf ? at - 1 : at) ?? 0;
}

/** `"cats", "dogs" and 3 more`. */
export function listed(names: readonly string[], most = 6): string {
  const shown = names.slice(0, most).map((name) => JSON.stringify(name));
  return names.length > most ? `${shown.join(", ")} and ${names.length - most} more` : shown.join(", ");
}

/** `1 photo`, `2 photos`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
