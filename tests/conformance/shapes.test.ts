/** @file Shape inference against ONNX's own, on every value of every given model; nothing declared is used. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { allNodes, definitionsOf, type Graph, mapGraph, type Value } from "../../src/graph/index.ts";
import { readModel } from "../../src/onnx/index.ts";
import { inferShapes } from "../../src/shapes/index.ts";

type Stored = readonly [dtype: string, shape: readonly (number | string | null)[] | null] | null;
type Expected = Readonly<Record<string, Stored>> | { readonly error: string };

const fixture = join(import.meta.dirname, "../fixtures/shapes/expected.json");
const shared = join(import.meta.dirname, "../../../shared");
// GRAFT_CONFORMANCE names another folder of cases, with its own expected.json made by make_shape_fixtures.py --out.
const { GRAFT_CONFORMANCE: elsewhere } = process.env;
const file = elsewhere === undefined ? fixture : join(elsewhere, "expected.json");
const expected: Readonly<Record<string, Expected>> = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};

/** What the file says about values that nodes compute is forgotten, so that only inference speaks. */
function forgetDeclared(graph: Graph): Graph {
  const computed = new Set([...allNodes(graph)].flatMap(definitionsOf));
  const forgotten = new Map<Value, Value>();
  return mapGraph(graph, (value) => {
    if (!computed.has(value)) return value;
    const known = forgotten.get(value) ?? { name: value.name, dtype: undefined, shape: undefined };
    forgotten.set(value, known);
    return known;
  });
}

/** Where we know less than ONNX, or another thing. More is fine: a number or a name for what it cannot tell. */
function difference(value: Value, [dtype, shape]: NonNullable<Stored>, mayKnowLess: boolean): string | undefined {
  const ours = `${value.dtype}[${value.shape?.map((size) => size ?? "?") ?? "…"}]`;
  const report = `${value.name}: ${ours}, ONNX says ${dtype}[${shape?.map((size) => size ?? "?") ?? "…"}]`;
  if (value.dtype !== dtype && !(mayKnowLess && value.dtype === undefined)) return report;
  if (shape === null || (mayKnowLess && value.shape === undefined)) return undefined;
  if (value.shape?.length !== shape.length) return report;
  return shape.every((size, axis) => {
    const other = value.shape?.[axis] ?? null;
    return (
      size === null || other === size || (mayKnowLess && other === null) || (typeof size === "string" && other !== null)
    );
  })
    ? undefined
    : report;
}

function locate(name: string): string | undefined {
  const places =
    elsewhere === undefined
      ? [join(shared, "conformance/gradients", name, "model.onnx"), join(shared, "models", `${name}.onnx`)]
      : [join(elsewhere, name, "model.onnx")];
  return places.find(existsSync);
}

const names = elsewhere === undefined ? Object.keys(expected) : readdirSync(elsewhere).filter((name) => locate(name));

describe("types agree with ONNX's own inference", () => {
  for (const name of names) {
    const path = locate(name);
    const types = expected[name];
    test.skipIf(path === undefined || types === undefined)(`${name}`, () => {
      const { graph } = readModel(readFileSync(path ?? ""));
      if (types === undefined || "error" in types) {
        inferShapes(graph);
        return;
      }
      // Nor does what the file declares contradict what we infer.
      inferShapes(graph);
      const typed = inferShapes(forgetDeclared(graph));
      const values = [...allNodes(typed)].flatMap(definitionsOf);
      // Behind an operator that we do not know, less may be known.
      const mayKnowLess = [...allNodes(typed)].some((node) => node.kind === "foreign");
      const differences = values.flatMap((value) => {
        const stored = types[value.name];
        return stored ? (difference(value, stored, mayKnowLess) ?? []) : [];
      });
      expect(differences).toEqual([]);
    });
  }
  test("the fixture is there", () => expect(names.length).toBeGreaterThan(0));
});
