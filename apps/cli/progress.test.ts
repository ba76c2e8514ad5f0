import { describe, expect, it } from "vitest";
import { type ProgressOptions, progressOn } from "./progress.ts";

/** Progress on a stream that remembers, at a time that the test sets. */
function watched(options: ProgressOptions & { readonly isTTY?: boolean } = {}) {
  const written: string[] = [];
  const clock = { time: 0 };
  const stream = {
    isTTY: options.isTTY ?? false,
    columns: 60,
    write: (text: unknown) => {
      written.push(String(text));
      return true;
    },
  };
  const progress = progressOn({ environment: {}, now: () => clock.time, stream, ...options });
  return { written, clock, ...progress };
}

describe("progressOn", () => {
  it("writes a line every ten seconds where there is no terminal", () => {
    const { written, clock, progress } = watched();
    for (clock.time = 0; clock.time <= 25_000; clock.time += 1000) progress("photos", clock.time / 1000, 50);
    expect(written).toEqual([
      "photos: 10 of 50 (20 %), about 40 s left\n",
      "photos: 20 of 50 (40 %), about 30 s left\n",
    ]);
  });

  it("says nothing of what is quickly done", () => {
    const { written, clock, progress, end } = watched();
    progress("photos", 0, 2);
    clock.time = 9000;
    progress("photos", 2, 2);
    end();
    expect(written).toEqual([]);
  });

  it("draws a bar on a terminal, no wider than it, and takes it away", () => {
    const { written, clock, progress, end } = watched({ isTTY: true });
    progress("photos", 1, 4);
    clock.time = 50;
    progress("photos", 2, 4);
    clock.time = 200;
    progress("photos with a very long name of a stage", 4, 4);
    end();
    end();
    expect(written).toHaveLength(3);
    expect(written[0]).toBe("\r\u001b[2K[######------------------] photos: 1 of 4 (25 %)");
    expect(written[1]?.length).toBeLessThanOrEqual(59 + 5);
    expect(written[2]).toBe("\r\u001b[2K");
  });

  it("draws no bar for a terminal that cannot, or for a machine", () => {
    for (const environment of [{ TERM: "dumb" }, { CI: "true" }]) {
      const { written, progress } = watched({ isTTY: true, environment });
      progress("photos", 1, 4);
      expect(written).toEqual([]);
    }
  });

  it("keeps quiet but for problems when asked", () => {
    const { written, progress, note, problem } = watched({ quiet: true, isTTY: true });
    progress("photos", 1, 4);
    note("nothing");
    problem("torn");
    expect(written).toEqual(["graft: torn\n"]);
  });

  it("counts where nobody knows how much there is", () => {
    const { written, clock, progress } = watched();
    progress("files", 0, 0);
    clock.time = 125_000;
    progress("files", 1234, 0);
    expect(written).toEqual(["files: 1,234, 2 min 5 s\n"]);
  });
});
