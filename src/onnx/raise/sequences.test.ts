/** @file Sequences that exporters write, read as slices and joins. */
import { describe, expect, it } from "vitest";
import { type ForeignNode, printGraph, type Value } from "../../graph/index.ts";
import { newBuilder } from "../../shapes/index.ts";
import { tensorOf } from "../../tensor/index.ts";
import { writeAttribute } from "../attributes.ts";
import { onnxModelOf } from "../model.ts";
import { readModel } from "../read.ts";
import { writeModel } from "../write.ts";

const unknown = { dtype: undefined, shape: undefined };
const scalar = (number: number) => tensorOf("int64", [], [number]);

function foreign(
  operator: string,
  inputs: readonly (Value | undefined)[],
  output: Value,
  attributes: Readonly<Record<string, number>> = {},
): ForeignNode {
  return {
    kind: "foreign",
    domain: "",
    operator,
    name: "",
    attributes: Object.entries(attributes).map(([name, value]) => ({
      name,
      graphs: [],
      encoded: writeAttribute(name, "int", value),
    })),
    inputs,
    outputs: [output],
  };
}

/** What is read of a model that takes one element of a sequence; the last line is the node that gives it. */
function element(
  make: (sequence: Value, x: Value, b: ReturnType<typeof newBuilder>) => ForeignNode,
  at: number,
): string {
  const b = newBuilder();
  const x = b.input("x", "float32", [2, 7]);
  const sequence: Value = { name: "sequence", ...unknown };
  const y: Value = { name: "y", dtype: "float32", shape: undefined };
  b.adopt(make(sequence, x, b));
  b.adopt(foreign("SequenceAt", [sequence, b.constant(scalar(at), "at")], y));
  return lastLines(b.graph([y]));
}

function lastLines(graph: Parameters<typeof onnxModelOf>[0]): string {
  const read = printGraph(readModel(writeModel(onnxModelOf(graph))).graph);
  const lines = read.split("\n").map((line) => line.trim());
  return lines.filter((line) => line.startsWith("y")).join("\n");
}

describe("reading through sequences", () => {
  it("makes a slice of an element of what is split", () => {
    const split =
      (sizes: ReturnType<typeof tensorOf>) => (sequence: Value, x: Value, b: ReturnType<typeof newBuilder>) =>
        foreign("SplitToSequence", [x, b.constant(sizes, "split")], sequence, { axis: 1 });
    expect(element(split(scalar(3)), 1)).toMatchInlineSnapshot(`
      "y_starts: int64[1] = [3]
      y_ends: int64[1] = [6]
      y_axes: int64[1] = [1]
      y: float32[…] = Slice(x, y_starts, y_ends, y_axes)"
    `);
    expect(element(split(tensorOf("int64", [3], [1, 4, 2])), -2)).toMatchInlineSnapshot(`
      "y_starts: int64[1] = [1]
      y_ends: int64[1] = [5]
      y_axes: int64[1] = [1]
      y: float32[…] = Slice(x, y_starts, y_ends, y_axes)"
    `);
  });

  it("makes an index of an element of single rows, or a slice where the axis is kept", () => {
    const rows = (keepdims: number) => (sequence: Value, x: Value) =>
      foreign("SplitToSequence", [x], sequence, { axis: 1, keepdims });
    expect(element(rows(0), 2)).toMatchInlineSnapshot(`
      "y_position: int64[] = 2
      y: float32[…] = Gather(x, y_position) {axis: 1}"
    `);
    expect(element(rows(1), -1)).toMatchInlineSnapshot(`
      "y_starts: int64[1] = [-1]
      y_ends: int64[1] = [9223372000000000000]
      y_axes: int64[1] = [1]
      y: float32[…] = Slice(x, y_starts, y_ends, y_axes)"
    `);
  });

  it("finds the tensors that were put together, and joins them", () => {
    const pair = (sequence: Value, x: Value) => foreign("SequenceConstruct", [x, x], sequence);
    expect(element(pair, -1)).toMatchInlineSnapshot(`"y: float32[…] = Identity(x)"`);
    const b = newBuilder();
    const x = b.input("x", "float32", [2, 7]);
    const [sequence, y] = [
      { name: "sequence", ...unknown },
      { name: "y", dtype: "float32", shape: undefined } as Value,
    ];
    b.adopt(pair(sequence, x));
    b.adopt(foreign("ConcatFromSequence", [sequence], y, { axis: 0, new_axis: 1 }));
    expect(lastLines(b.graph([y]))).toMatchInlineSnapshot(`
      "y_axes: int64[1] = [0]
      y_element_0: ?[…] = Unsqueeze(x, y_axes)
      y_element_1: ?[…] = Unsqueeze(x, y_axes)
      y: float32[…] = Concat(y_element_0, y_element_1) {axis: 0}"
    `);
  });

  it("leaves alone what only a run tells", () => {
    const b = newBuilder();
    const [x, at] = [b.input("x", "float32", [2, 7]), b.input("at", "int64", [])];
    const [sequence, y] = [
      { name: "sequence", ...unknown },
      { name: "y", dtype: "float32", shape: undefined } as Value,
    ];
    b.adopt(foreign("SplitToSequence", [x], sequence));
    b.adopt(foreign("SequenceAt", [sequence, at], y));
    expect(lastLines(b.graph([y]))).toMatchInlineSnapshot(`"y: float32[…] = SequenceAt(sequence, at)"`);
  });
});
