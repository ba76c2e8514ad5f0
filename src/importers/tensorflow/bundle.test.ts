import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bytesOf, GraftError, numbersOf, type Tensor, tensorOf } from "../../tensor/index.ts";
import { filesInMemory, type ModelFiles } from "../model-files.ts";
import { zipFiles } from "../zip.ts";
import { sliceOf, TensorBundle } from "./bundle.ts";
import { maskedCrc32c } from "./crc32c.ts";
import { sliceKey } from "./slice-key.ts";

const prefix = "variables/variables";

function fixture(name: string): ModelFiles {
  return zipFiles(readFileSync(new URL(`../../../tests/fixtures/tensorflow/${name}.zip`, import.meta.url)));
}

/** All values, as text; undefined where the bundle is refused. Anything but a GraftError is thrown on. */
async function valuesOf(files: ModelFiles): Promise<string | undefined> {
  try {
    const bundle = await TensorBundle.open(files, prefix);
    return bundle
      .keys()
      .map((key) => `${key} ${show(bundle.tensor(key))}`)
      .join("\n");
  } catch (cause) {
    if (cause instanceof GraftError) return undefined;
    throw cause;
  }
}

function show(tensor: Tensor): string {
  const bytes = tensor.dtype === "string" ? tensor.data.flatMap((text) => [...text]) : [...bytesOf(tensor)];
  return `${tensor.dtype} ${tensor.shape} ${bytes}`;
}

describe("checksums", () => {
  it("are CRC-32C, masked: RFC 3720's zeros and counting bytes", () => {
    const mask = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    expect(maskedCrc32c(new Uint8Array(32))).toBe(mask(0x8a9136aa));
    const counting = Uint8Array.from({ length: 32 }, (_, index) => index);
    expect(maskedCrc32c(counting)).toBe(mask(0x46dd794e));
    expect(maskedCrc32c(counting.subarray(0, 13), counting.subarray(13))).toBe(mask(0x46dd794e));
  });
});

describe("a bundle", () => {
  it("holds values of every width as they were saved", async () => {
    const bundle = await TensorBundle.open(fixture("module_half_variables"), prefix);
    expect(bundle.keys()).toContain("i/.ATTRIBUTES/VARIABLE_VALUE");
    expect(numbersOf(bundle.tensor("i/.ATTRIBUTES/VARIABLE_VALUE"))).toEqual([2, 0, 1]);
    expect(bundle.tensor("b/.ATTRIBUTES/VARIABLE_VALUE")).toMatchObject({ dtype: "bfloat16", shape: [4, 3] });
  });

  it("puts values together that were saved in parts", async () => {
    const bundle = await TensorBundle.open(fixture("tf1_partitioned"), prefix);
    expect(bundle.keys().sort()).toEqual(["p/w", "q/r"]);
    expect(bundle.tensor("p/w").shape).toEqual([6, 5]);
  });

  it("never gives a wrong value: every changed byte of its index and its data is noticed, or changes nothing", async () => {
    for (const name of ["module_half_variables", "tf1_partitioned"]) {
      const whole = fixture(name);
      const files = new Map<string, Uint8Array>();
      for (const file of whole.names.filter((file) => file.startsWith("variables/"))) {
        files.set(file, (await whole.read(file)).slice());
      }
      const right = await valuesOf(filesInMemory(files));
      expect(right).toBeDefined();
      for (const bytes of files.values()) {
        for (let index = 0; index < bytes.length; index++) {
          const before = bytes[index] ?? 0;
          bytes[index] = before ^ (1 << (index % 8));
          const values = await valuesOf(filesInMemory(files));
          if (values !== undefined && values !== right) expect.fail(`byte ${index} of ${name} gives other values`);
          bytes[index] = before;
        }
      }
    }
  });

  it("is refused where it is cut short anywhere", async () => {
    const whole = fixture("module_half_variables");
    const files = new Map<string, Uint8Array>();
    for (const file of whole.names) files.set(file, await whole.read(file));
    for (const [file, bytes] of files) {
      if (!file.startsWith("variables/")) continue;
      for (let length = 0; length < bytes.length; length += 7) {
        const cut = new Map([...files, [file, bytes.subarray(0, length)]]);
        expect(await valuesOf(filesInMemory(cut))).toBeUndefined();
      }
    }
  });
});

describe("parts", () => {
  it("have keys as TensorFlow writes them", () => {
    const hex = (text: string) => [...text].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
    // OrderedCode: 0, the name and its end, the rank, then start and length of each axis.
    expect(hex(sliceKey("a", { starts: [0, 64], lengths: [-1, 100_000] }))).toBe(
      "00" + "610001" + "0102" + "807f" + "c040" + "e186a0",
    );
    expect(hex(sliceKey("\0", { starts: [], lengths: [] }))).toBe("00" + "00ff0001" + "00");
  });

  it("are cut out of a tensor, and not beyond it", () => {
    const tensor = tensorOf("float32", [3, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const part = sliceOf(tensor, { starts: [1, 1], lengths: [2, 2] });
    expect(part.shape).toEqual([2, 2]);
    expect(sliceOf(tensor, { starts: [0, 3], lengths: [-1, 1] }).shape).toEqual([3, 1]);
    expect(numbersOf(part)).toEqual([5, 6, 9, 10]);
    expect(() => sliceOf(tensor, { starts: [2, 0], lengths: [2, -1] })).toThrow(/outside/);
  });
});
