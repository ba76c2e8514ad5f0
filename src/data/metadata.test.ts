import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTable } from "./metadata.ts";

function labelsOf(name: string, text: string): (readonly [string, string | undefined])[] {
  return readTable(name, text).map(({ fileName, label }) => [fileName, label]);
}

describe("readTable", () => {
  it("reads CSV with a byte order mark, CRLF, quotes, commas and line breaks in cells", () => {
    const text =
      '\ufefffile_name,label,split,group\r\n"a, b.jpg","the ""best"" cat",train,tom\r\n\r\nc.jpg,"two\nlines",,\r\n';
    expect(readTable("metadata.csv", text)).toEqual([
      { line: 2, fileName: "a, b.jpg", label: 'the "best" cat', split: "train", group: "tom" },
      { line: 4, fileName: "c.jpg", label: "two\nlines", split: undefined, group: undefined },
    ]);
  });

  it("reads JSON lines with numbers as labels", () => {
    const text = '{"file_name": "a.jpg", "label": 3}\n\n{"file_name": "b.jpg", "label": "__proto__", "box": [1, 2]}\n';
    expect(labelsOf("metadata.jsonl", text)).toEqual([
      ["a.jpg", "3"],
      ["b.jpg", "__proto__"],
    ]);
  });

  it("reads back every cell that is written by the rules of RFC 4180", () => {
    const cell = fc.string({ unit: fc.constantFrom('"', ",", "\n", "\r", "a", " ", "é", "🐈"), minLength: 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
        const quoted = (text: string) => `"x${text.replaceAll('"', '""')}"`;
        const text = `file_name,label\n${rows.map((row) => row.map(quoted).join(",")).join("\n")}`;
        expect(labelsOf("metadata.csv", text)).toEqual(rows.map(([file, label]) => [`x${file}`, `x${label}`]));
      }),
      { endOnFailure: true },
    );
  });

  it("says which line is wrong", () => {
    const wrong: [string, string, RegExp][] = [
      ["metadata.csv", "", /empty/],
      ["metadata.csv", "name,class\na,b", /lacks a column.*"name", "class"/],
      ["metadata.csv", "file_name;label\na;b", /separated by commas/],
      ["metadata.csv", "file_name,label\na.jpg,x\nb,c.jpg,x", /line 3: .*expected 2, found 3/],
      ["metadata.csv", 'file_name,label\na.jpg,x\n"b.jpg,x', /line 3: .*closing quote/],
      ["metadata.csv", "file_name,label,label\na,b,c", /line 1: two columns/],
      ["metadata.csv", "file_name,label\n,cat", /line 2: no file_name/],
      ["metadata.jsonl", '{"file_name": "a", "label": "b"}\n{"file', /line 2: .*no JSON/],
      ["metadata.jsonl", "[1]", /line 1: .*no JSON object/],
      ["metadata.jsonl", '{"file_name": "a", "text": "b"}', /lacks a column/],
    ];
    for (const [name, text, message] of wrong) expect(() => readTable(name, text), text).toThrow(message);
  });
});
