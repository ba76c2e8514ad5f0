import { describe, expect, it } from "vitest";
import { checkGradient } from "./check-gradient.ts";

describe("judging a derivative by differences", () => {
  it("accepts a right one", () => checkGradient({ x: [2, 3] }, (b, { x }) => b.exp(x)));

  it("names the input whose derivative is wrong", async () => {
    // The gradient of Floor is 0 by definition; differences do not see steps as small as these.
    const steps = checkGradient({ z: [1], x: [40] }, (b, { x, z }) =>
      b.add(z, b.scale(b.apply("Floor", [b.scale(x, 1e8)]), 1e-8)),
    );
    await expect(steps).rejects.toThrow("grad:x is wrong: along a random direction it is 0, by differences");
  });
});
