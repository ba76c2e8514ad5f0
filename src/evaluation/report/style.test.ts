import { describe, expect, it } from "vitest";
import { style } from "./style.ts";

describe("the report's colours", () => {
  const [light = "", dark = ""] = [...style.matchAll(/:root \{([^}]*--paper[^}]*--ink[^}]*)\}/g)].map(
    (match) => match[1] ?? "",
  );
  const read = (theme: string) =>
    new Map([...theme.matchAll(/--([\w-]+): ([^;]+);/g)].map((match) => [match[1] ?? "", channels(match[2] ?? "")]));
  const themes = [
    ["light", read(light), style.slice(0, style.lastIndexOf("@media screen"))],
    ["dark", read(dark), style.slice(style.lastIndexOf("@media screen"))],
  ] as const;

  it.each(themes)("can be read on %s: every text and every cell of the confusion matrix", (_, colours, rules) => {
    const colour = (name: string) => colours.get(name) ?? [0, 0, 0];
    for (const text of ["ink", "quiet", "link", "wrong-text", "alarm"]) {
      expect([text, contrast(colour(text), colour("paper")) >= 4.5]).toEqual([text, true]);
      expect([text, contrast(colour(text), colour("faint")) >= 4.5]).toEqual([text, true]);
    }
    const cells = [
      ...rules.matchAll(
        /\.cell\.(right|wrong)\.level-\d+ \{ background: rgb\(var\(--\w+\) \/ ([\d.]+)\); color: var\(--(\w+)\)/g,
      ),
    ];
    expect(cells.length).toBe(20);
    for (const [rule, kind = "", alpha = "", ink = ""] of cells) {
      const [over, under] = [colour(kind), colour("paper")];
      const mixed = over.map((value, index) => value * Number(alpha) + (under[index] ?? 0) * (1 - Number(alpha)));
      expect([rule, contrast(colour(ink), mixed) >= 4.5]).toEqual([rule, true]);
    }
  });
});

function channels(text: string): number[] {
  if (!text.startsWith("#")) return text.split(" ").map(Number);
  return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16));
}

/** WCAG 2's contrast of two sRGB colours, 1 to 21. */
function contrast(a: readonly number[], b: readonly number[]): number {
  const luminance = (colour: readonly number[]) => {
    const [red = 0, green = 0, blue = 0] = colour.map((value) =>
      value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}
