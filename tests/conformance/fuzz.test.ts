/** @file A little of `npm run fuzz`: damaged models of every format are read, or refused with a reason. */
import { describe, expect, it } from "vitest";
import { importFormats, importFuzzer } from "../fuzz/imports.ts";

const count = 100;

describe("damaged models", () => {
  it.each(importFormats)(
    "of %s are read or refused, and never become other weights where checksums are",
    async (format) => {
      const judge = await importFuzzer(format);
      const failures: string[] = [];
      let [read, refused] = [0, 0];
      for (let seed = 1; seed <= count; seed++) {
        const judgement = await judge(seed);
        if (judgement === undefined) read++;
        else if (judgement === "") refused++;
        else failures.push(judgement);
      }
      expect(failures).toEqual([]);
      // The damage is neither harmless nor the end of every file.
      expect(Math.min(read, refused)).toBeGreaterThan(count / 10);
    },
  );
});
