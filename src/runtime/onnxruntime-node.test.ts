import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tensorOf } from "../tensor/index.ts";
import { describeRuntime, runtimeFixture } from "../testing/describe-runtime.ts";
import { nodeRuntime } from "./onnxruntime-node.ts";

describeRuntime("onnxruntime-node", () => nodeRuntime());

describe("nodeRuntime", () => {
  it("turns telemetry off", async () => {
    await nodeRuntime();
    expect(process.env).toMatchObject({ ORT_DISABLE_TELEMETRY: "1" });
  });

  it("runs on as many threads as asked, idle ones waiting busily or not", async () => {
    for (const options of [{ threads: 1 }, { threads: 2, spinning: false }]) {
      const runtime = await nodeRuntime(options);
      expect(runtime.threads).toBe(options.threads);
      const executable = await runtime.compile(runtimeFixture("opset9"));
      const outputs = await executable.run({ x: tensorOf("float32", [2], [-1, 2]) });
      expect(outputs.get("y")).toEqual(tensorOf("float32", [2], [0, 2]));
    }
  });

  it("writes a profile that names the nodes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "graftwork-"));
    try {
      const runtime = await nodeRuntime();
      const executable = await runtime.compile(runtimeFixture("opset9"), { profile: join(folder, "step") });
      await executable.run({ x: tensorOf("float32", [2], [-1, 2]) });
      await executable.dispose();
      const [file = ""] = await readdir(folder);
      expect(file).toMatch(/^step.*[.]json$/);
      expect(await readFile(join(folder, file), "utf8")).toContain("rectify");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
