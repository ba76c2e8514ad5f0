import { describe, expect, it } from "vitest";
import { GraftError } from "../tensor/index.ts";
import { type Layout, layoutOf } from "./layout.ts";

/** The layout of a folder with these files; a path that ends in `/` is an empty folder. */
function layoutOfPaths(paths: readonly string[], tables: Readonly<Record<string, string>> = {}): Layout {
  const all = [...paths, ...Object.keys(tables)];
  const folders = new Set<string>();
  for (const path of all) {
    const places = path.split("/").slice(0, -1);
    for (const [at] of places.entries()) folders.add(places.slice(0, at + 1).join("/"));
  }
  const files = all.filter((path) => !path.endsWith("/"));
  return layoutOf({ folders: [...folders].sort(), files: files.sort() }, new Map(Object.entries(tables)));
}

function rowsOf({ files }: Layout): (string | undefined)[][] {
  return files.map(({ file, label, part }) => [file, label, part]);
}

describe("layoutOf", () => {
  it("reads a folder a class, with everything inside at any depth", () => {
    const layout = layoutOfPaths([
      "cats/1.jpg",
      "cats/more/deep/2.jpg",
      "dogs/notes.txt",
      "README.md",
      "loose.png",
      "birds/",
    ]);
    expect(layout.description).toBe("a folder a class");
    expect(new Set(layout.classNames)).toEqual(new Set(["birds", "cats", "dogs"]));
    expect(rowsOf(layout)).toEqual([
      ["cats/1.jpg", "cats", undefined],
      ["cats/more/deep/2.jpg", "cats", undefined],
      ["dogs/notes.txt", "dogs", undefined],
    ]);
    expect(layout.skipped).toEqual([{ file: "loose.png", reason: "not in a class folder" }]);
  });

  it("keeps classes called like properties of objects, and like one another but for case", () => {
    const names = ["__proto__", "constructor", "Cats", "cats", "a 'b' \"c\"", "🐈"];
    const layout = layoutOfPaths(names.map((name) => `${name}/1.jpg`));
    expect(new Set(layout.classNames)).toEqual(new Set(names));
    expect(layout.files.map(({ label }) => label).sort()).toEqual([...names].sort());
  });

  it.each([
    ["train", "validation", "test"],
    ["training", "val", "testing"],
    ["Train", "VALID", "Test"],
    ["train", "dev", "test"],
    ["train", "eval", "test"],
  ])("reads %s, %s and %s as parts", (train, validation, test) => {
    const layout = layoutOfPaths([
      `${train}/a/1.jpg`,
      `${train}/b/2.jpg`,
      `${validation}/a/3.jpg`,
      `${test}/b/4.jpg`,
      "vectorize.py",
    ]);
    expect(layout.description).toBe(`${train}/, ${validation}/ and ${test}/ folders`);
    expect(rowsOf(layout)).toEqual([
      [`${train}/a/1.jpg`, "a", "train"],
      [`${train}/b/2.jpg`, "b", "train"],
      [`${validation}/a/3.jpg`, "a", "validation"],
      [`${test}/b/4.jpg`, "b", "test"],
    ]);
    expect(layout.skipped).toEqual([]);
  });

  it("takes a class called train among others for a class", () => {
    expect(layoutOfPaths(["train/1.jpg", "bus/2.jpg", "car/3.jpg"]).description).toBe("a folder a class");
    expect(layoutOfPaths(["train/train/1.jpg", "train/bus/2.jpg", "train/car/3.jpg"]).classNames).toHaveLength(3);
  });

  it("reads metadata.csv at the top, with its own split and groups", () => {
    const table = "file_name,label,split,group\na.jpg,cat,train,g1\n./in/b.jpg,dog,val,g2\nin\\c.jpg,cat,test,";
    const layout = layoutOfPaths(["a.jpg", "in/b.jpg", "in/c.jpg", "extra.jpg", "notes.txt"], {
      "metadata.csv": table,
    });
    expect(layout.description).toBe("metadata.csv");
    expect(layout.files).toEqual([
      { file: "a.jpg", label: "cat", part: "train", group: "g1" },
      { file: "in/b.jpg", label: "dog", part: "validation", group: "g2" },
      { file: "in/c.jpg", label: "cat", part: "test", group: undefined },
    ]);
    expect(layout.skipped).toEqual([{ file: "extra.jpg", reason: "not listed in metadata.csv" }]);
  });

  it("reads a table in each part", () => {
    const layout = layoutOfPaths(["train/1.jpg", "train/2.jpg", "test/3.jpg"], {
      "train/metadata.jsonl": '{"file_name":"1.jpg","label":"a"}\n{"file_name":"2.jpg","label":"b"}',
      "test/metadata.csv": "file_name,label\n3.jpg,a",
    });
    expect(rowsOf(layout)).toEqual([
      ["train/1.jpg", "a", "train"],
      ["train/2.jpg", "b", "train"],
      ["test/3.jpg", "a", "test"],
    ]);
  });

  it("skips rows that name no file, the same file, or a file outside", () => {
    const table = "file_name,label\na.jpg,x\na.jpg,x\na.jpg,y\nb.jpg,y\n../c.jpg,x\n/etc/passwd,x\nd.jpg,";
    const layout = layoutOfPaths(["a.jpg", "d.jpg"], { "metadata.csv": table });
    expect(rowsOf(layout)).toEqual([["a.jpg", "x", undefined]]);
    expect(layout.skipped.map(({ file, reason }) => `${file}: ${reason}`)).toEqual([
      "a.jpg: listed again (metadata.csv, line 3)",
      "a.jpg: listed again with another label (metadata.csv, line 4)",
      "b.jpg: no such file (metadata.csv, line 5)",
      "../c.jpg: lies outside the folder (metadata.csv, line 6)",
      "/etc/passwd: lies outside the folder (metadata.csv, line 7)",
      "d.jpg: has no label (metadata.csv, line 8)",
    ]);
  });

  it("finds a file whose é is written as two characters", () => {
    const layout = layoutOfPaths(["cafe\u0301.jpg"], { "metadata.csv": "file_name,label\ncaf\u00e9.jpg,x" });
    expect(layout.files.map(({ file }) => file)).toEqual(["cafe\u0301.jpg"]);
  });

  it.each([
    ["an empty folder", [], {}, /the folder is empty.*expected a folder a class/],
    ["loose pictures", ["a.jpg", "b.jpg"], {}, /no class folders.*found 2 loose files: "a.jpg", "b.jpg"/],
    [
      "a split beside something else",
      ["train/1.jpg", "foo/2.jpg"],
      {},
      /"train" looks like a split.*"train" beside "foo"/,
    ],
    [
      "parts beside something else",
      ["train/a/1.jpg", "val/a/2.jpg", "x/3.jpg"],
      {},
      /"train", "val" look like a split/,
    ],
    ["parts without classes", ["train/1.jpg", "test/2.jpg"], {}, /train: there are no class folders.*1 loose file/],
    [
      "an empty part",
      ["train/a/1.jpg", "train/b/1.jpg", "test/"],
      {},
      /test: there are no class folders.*an empty folder/,
    ],
    [
      "two folders for one part",
      ["train/a/1.jpg", "val/a/2.jpg", "dev/a/3.jpg"],
      {},
      /two folders for one part.*"val", "dev"|"dev", "val"/,
    ],
    ["a split inside a split", ["train/train/a/1.jpg", "train/test/a/1.jpg"], {}, /train: a split inside a split/],
    [
      "a split inside each class",
      ["a/train/1.jpg", "a/test/2.jpg", "b/train/3.jpg"],
      {},
      /turn it around: test\/a\/, train\/a\//,
    ],
    ["two tables", ["a.jpg"], { "metadata.csv": "", "metadata.jsonl": "" }, /two tables/],
    [
      "an unknown split",
      ["a.jpg"],
      { "metadata.csv": "file_name,label,split\na.jpg,x,later" },
      /metadata.csv: line 2: no such split.*"later"/,
    ],
    [
      "a missing split",
      ["a.jpg", "b.jpg"],
      { "metadata.csv": "file_name,label,split\na.jpg,x,train\nb.jpg,x," },
      /line 3: no such split/,
    ],
  ] as const)("refuses %s", (_, paths, tables, message) => {
    expect(() => layoutOfPaths(paths, tables)).toThrow(message);
    expect(() => layoutOfPaths(paths, tables)).toThrow(GraftError);
  });
});
