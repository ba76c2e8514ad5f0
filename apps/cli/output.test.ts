import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvLine, jsonObject, oneLine } from "./output.ts";

describe("jsonObject", () => {
  it("keeps names and their order, whatever they are", () => {
    expect(
      jsonObject([
        ["10", 1],
        ["__proto__", 2],
        ["9", 3],
      ]),
    ).toBe('{"10": 1, "__proto__": 2, "9": 3}');
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "binary" }), { maxLength: 8 }), (names) => {
        const entries = names.map((name, place) => [name, place] as const);
        expect(new Map(Object.entries(JSON.parse(jsonObject(entries))))).toEqual(new Map(entries));
      }),
    );
  });
});

describe("csvLine", () => {
  it.each([
    [["plain", 0.5, true, undefined], "plain,0.5,true,\n"],
    [['say "a, b"'], '"say ""a, b"""\n'],
    [["two\nlines"], '"two\nlines"\n'],
    [["=SUM(A1)", "+1", "-1", "@x", "\ttab"], "'=SUM(A1),'+1,'-1,'@x,'\ttab\n"],
    [[-0.5], "-0.5\n"],
  ])("writes %j", (cells, line) => {
    expect(csvLine(cells)).toBe(line);
  });
});

describe("oneLine", () => {
  it("shows what would steer a terminal instead of obeying it", () => {
    expect(oneLine("a\u001b[2Jb\nc\u2028😀")).toBe("a\\u001b[2Jb\\u000ac\\u2028😀");
  });
});
