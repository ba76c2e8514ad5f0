import { describe, expect, it } from "vitest";
import { describeRuntime } from "../testing/describe-runtime.ts";
import { webRuntime } from "./onnxruntime-web.ts";

const nameless =
  "onnxruntime-web is built without exceptions: what fails while a graph is resolved comes without the node";

// In Node the package's main entry is WebAssembly with Node's threads; the entries for browsers fetch their files.
const load = () => import("onnxruntime-web");

describeRuntime("onnxruntime-web", () => webRuntime({ threads: 1, load }), {
  "while making a session (unknownOperator)": nameless,
  "while making a session (unknownAttribute)": nameless,
  "while making a session (shapeMismatch)": nameless,
});

describe("webRuntime", () => {
  it("says so where there is no WebGPU", async () => {
    await expect(webRuntime({ device: "webgpu", load })).rejects.toMatchObject({
      code: "runtime-failed",
      hint: 'use the device "cpu"',
    });
  });

  it("refuses another number of threads than the first runtime's", async () => {
    await webRuntime({ threads: 1, load });
    await expect(webRuntime({ threads: 2, load })).rejects.toMatchObject({ code: "usage", expected: "1", actual: "2" });
  });
});
