/** @file A small part of `npm run fuzz`: damaged files are read or refused, by name and reason, and never crash. */
import { expect, it } from "vitest";
import { fuzzOnnx } from "../fuzz/onnx.ts";

it("reads or refuses damaged files", () => {
  const report = fuzzOnnx(500, 1);
  expect(report.failures).toEqual([]);
  expect(report.slowest.milliseconds).toBeLessThan(10_000);
  // Damage that is always refused, or never, tests nothing.
  expect(report.accepted).toBeGreaterThan(50);
  expect(report.accepted).toBeLessThan(450);
});
