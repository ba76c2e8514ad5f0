import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraftError } from "../../tensor/index.ts";
import { type Hdf5Group, openHdf5 } from "./hdf5.ts";
import { storedWeight } from "./stored-weight.ts";
import { weightsByPath } from "./weights-of-paths.ts";

const fixtures = resolve(import.meta.dirname, "../../../tests/fixtures/importers/hdf5");

function bytesOf(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(resolve(fixtures, `${name}.gz`))));
}

function weightAt(root: Hdf5Group, path: string) {
  const found = root.at(path);
  if (found.kind === "group") throw new Error(`${path} is a group`);
  return storedWeight(path, found);
}

/** The same file with the superblock of version 1, which is longer: the root group's header moves to the end. */
function firstSuperblock(original: Uint8Array): Uint8Array {
  const view = new DataView(original.buffer);
  const header = Number(view.getBigUint64(64, true));
  const moved = original.subarray(header, header + 16 + view.getUint32(header + 8, true));
  const bytes = new Uint8Array(original.length + moved.length);
  bytes.set(original);
  bytes.set(moved, original.length);
  bytes.set(original.subarray(24, 96), 28);
  bytes.set([32, 0, 0, 0], 24);
  bytes[8] = 1;
  const written = new DataView(bytes.buffer);
  written.setBigUint64(44, BigInt(bytes.length), true);
  written.setBigUint64(68, BigInt(original.length), true);
  return bytes;
}

/** All data sets below a group: path, shape and elements. */
function contents(group: Hdf5Group, path = ""): (readonly [string, readonly number[], Float32Array])[] {
  return group.names.flatMap((name) => {
    const inner = path === "" ? name : `${path}/${name}`;
    const found = group.at(name);
    if (found.kind === "group") return contents(found, inner);
    const { shape, read } = storedWeight(inner, found);
    return [[inner, shape, read()] as const];
  });
}

const types = ["<f2", "<f4", "<f8", ">f4", "i1", "<i4", "<i8", ">i2", "u1", "<u2", "<u4", "<u8", "b1", "bfloat16"];

describe("openHdf5", () => {
  it.each([
    ["earliest", 6],
    ["v108", 0],
    ["latest", 0],
  ])("reads every type and way of storing: values.%s.h5", (name, chunked) => {
    const root = openHdf5(bytesOf(`values.${name}.h5`));
    const found = contents(root);
    for (const [path, shape, values] of found) {
      const expected = (index: number) => (path === "types/b1" ? index % 2 : index);
      expect(values.length, path).toBe(shape.reduce((a, b) => a * b, 1));
      const off = values.findIndex((value, index) => value !== expected(index));
      expect(off, path).toBe(-1);
    }
    const paths = found.map(([path]) => path);
    expect(paths.filter((path) => path.startsWith("types/")).sort()).toEqual(
      types.map((type) => `types/${type}`).sort(),
    );
    expect(paths).toEqual(expect.arrayContaining(["all filters", "compact", "empty", "gzip", "scalar"]));
    expect(paths.filter((path) => path.startsWith("chunks/")).length).toBe(chunked);
    const { attributes } = root;
    expect(attributes.text("text")).toBe("Größe");
    expect(attributes.text("bytes")).toBe("config");
    expect(attributes.texts("fixed")).toEqual(["a", "bcd"]);
    expect(attributes.texts("long")).toEqual(["x".repeat(5000), "", "z"]);
    expect(attributes.texts("none")).toEqual([]);
    expect(attributes.texts("not there")).toBeUndefined();
    expect(() => attributes.text("number")).toThrow(/"number" cannot be read/);
  });

  it("reads a superblock of version 1", () => {
    const root = openHdf5(firstSuperblock(bytesOf("links.h5")));
    expect(weightAt(root, "real/data").read()).toEqual(new Float32Array(2));
  });

  it("gives float32 in one piece as a view on the file's bytes", () => {
    const bytes = bytesOf("values.earliest.h5");
    const values = weightAt(openHdf5(bytes), "types/<f4").read();
    expect(values.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(weightAt(openHdf5(shifted.subarray(1)), "types/<f4").read()).toEqual(values);
  });

  it.each(["earliest", "v108", "latest"])("reads groups and attributes by the hundred: many.%s.h5", (name) => {
    const { names, attributes } = openHdf5(bytesOf(`many.${name}.h5`)).group("layers");
    expect(names.length).toBe(300);
    const expected = Array.from(
      { length: 300 },
      (_, index) => `layer_${String(index).padStart(3, "0")}_${"n".repeat(index % 40)}`,
    );
    expect([...names].sort()).toEqual(expected);
    for (let index = 0; index < 40; index++) expect(attributes.text(`attribute ${index}`)).toBe(`value ${index}`);
  });

  it.each(["links.h5", "links.latest.h5"])("follows no link, and says which: %s", (name) => {
    const root = openHdf5(bytesOf(name));
    expect(() => root.at("soft")).toThrow(/soft: the HDF5 file has a soft link.*"\/real"/);
    expect(() => root.at("external/more")).toThrow(/external\/more: the HDF5 file has an external link.*passwd/);
  });

  it("takes names for names", () => {
    const root = openHdf5(bytesOf("links.h5"));
    expect(root.group("__proto__").names).toEqual(["constructor"]);
    expect(() => root.at("constructor")).toThrow(/not there/);
    expect(() => root.at("../real")).toThrow(/not there/);
  });

  it.each([
    ["external", /external storage/],
    ["virtual", /virtual/],
    ["huge", /never written|larger than/],
    ["huge whole", /larger than|never written/],
    ["unwritten", /never written/],
    ["lzf", /filter 32000/],
    ["of named type", /named one/],
  ])("refuses elements that are not in the file, or more than are: %s", (path, words) => {
    const root = openHdf5(bytesOf("elsewhere.h5"));
    expect(() => weightAt(root, path)).toThrow(words);
  });

  it.each(["text", "compound"])("says what elements are no numbers: %s", (path) => {
    expect(() => weightAt(openHdf5(bytesOf("elsewhere.h5")), path).read()).toThrow(/no numbers.*(text|compounds)/);
  });

  it("says of every cut that the file is cut off", () => {
    for (const name of ["values.earliest.h5", "values.v108.h5", "values.latest.h5"]) {
      const bytes = bytesOf(name);
      for (let length = 9; length < bytes.length; length += 97) {
        expect(() => openHdf5(bytes.subarray(0, length))).toThrow(/cut off/);
      }
    }
  });

  const mutated = ["values.earliest.h5", "values.latest.h5", "many.latest.h5", "links.h5", "elsewhere.h5"];
  it.each(mutated)("answers damage with an error of its own, soon: 300 mutations of %s", (name) => {
    const original = bytesOf(name);
    const written = [...original.keys()].filter((at) => original[at] !== 0);
    const place = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...written) },
      { weight: 1, arbitrary: fc.nat(original.length - 1) },
    );
    const value = fc.oneof(fc.constantFrom(0, 1, 255), fc.nat(255));
    const change = fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 6 });
    const read = (bytes: Uint8Array) => {
      try {
        const root = openHdf5(bytes);
        for (const attribute of ["text", "long", "fixed", "layer_names"]) root.attributes.texts(attribute);
        for (const each of root.names) {
          const found = root.at(each);
          if (found.kind === "dataset") storedWeight(each, found).read();
          else for (const inner of found.names) found.at(inner);
        }
      } catch (error) {
        if (!(error instanceof GraftError)) throw error;
      }
    };
    fc.assert(
      fc.property(change, (changes) => {
        const bytes = original.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        const start = performance.now();
        read(bytes);
        expect(performance.now() - start).toBeLessThan(2000);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

describe("weightsByPath", () => {
  it("finds all that holds variables, in the order of their numbers, without the optimizer", () => {
    const { holders, layerNames } = weightsByPath(bytesOf("paths.weights.h5"));
    const counts = [...holders].map(([path, weights]) => [path, weights.length]);
    expect(counts).toEqual([
      ["layers/dense", 2],
      ["layers/dense_1", 2],
      ["layers/functional/layers/many", 12],
      ["layers/lstm/cell", 3],
      ["layers/lstm", 0],
    ]);
    const many = holders.get("layers/functional/layers/many") ?? [];
    expect(many.map((weight) => weight.read()[0])).toEqual(Array.from({ length: 12 }, (_, index) => index));
    expect(many[10]?.name).toBe("layers/functional/layers/many/vars/10");
    expect([...layerNames]).toEqual([["layers/dense", "first"]]);
  });

  it("does not go round in circles", () => {
    expect(() => weightsByPath(bytesOf("cycle.weights.h5"))).toThrow(/without end/);
  });
});
