/** @file A test that prints has failed: what the library wants to say, it returns, throws or hands to a callback. */
import { afterEach, beforeEach, expect } from "vitest";

const methods = ["debug", "error", "info", "log", "trace", "warn"] as const;
let printed: string[] = [];

for (const method of methods) {
  console[method] = (...values: unknown[]): void => {
    printed.push(`console.${method}(${values.map(String).join(", ")})`);
  };
}

beforeEach(() => {
  printed = [];
});

afterEach(() => {
  expect(printed, "this test printed to the console").toEqual([]);
});
