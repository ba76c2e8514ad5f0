import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Handle, printHandle, publicName } from "./handle.ts";
import { parseHandle } from "./parse-handle.ts";

/** `[typed, kind, printed]`; where nothing is printed, it prints as typed. */
const handles: readonly (readonly [string, Handle["kind"], string?])[] = [
  ["model.h5", "path"],
  ["./my models/cat.keras", "path"],
  ["C:\\models\\cat.h5", "path"],
  ["MobileNetV2?alpha=0.5", "path"],
  ["file:///tmp/a%20b.h5", "path", "/tmp/a b.h5"],
  ["keras:MobileNetV2", "keras"],
  ["keras:MobileNetV2?alpha=0.5&input_shape=160x160x3&weights=imagenet", "keras"],
  ["keras:MobileNet?inputShape=128x128x3", "keras", "keras:MobileNet?input_shape=128x128x3"],
  ["https://tfhub.dev/google/tf2-preview/mobilenet_v2/feature_vector/4", "tfhub"],
  ["http://tfhub.dev/google/nnlm-en-dim128/2/", "tfhub", "https://tfhub.dev/google/nnlm-en-dim128/2"],
  [
    "https://tfhub.dev/google/tfjs-model/imagenet/mobilenet_v3_small_100_224/classification/5/default/1/model.json?tfjs-format=file",
    "tfhub",
    "https://tfhub.dev/google/tfjs-model/imagenet/mobilenet_v3_small_100_224/classification/5/default/1",
  ],
  ["kaggle:google/mobilenet-v2/tensorFlow2/035-128-classification/2", "kaggle"],
  [
    "kaggle:google/mobilenet-v2/tensorflow2/tf2-preview",
    "kaggle",
    "kaggle:google/mobilenet-v2/tensorFlow2/tf2-preview",
  ],
  [
    "https://www.kaggle.com/models/google/mobilenet-v2/tensorFlow2/tf2-preview-feature-vector/4?tfhub-redirect=true",
    "kaggle",
    "kaggle:google/mobilenet-v2/tensorFlow2/tf2-preview-feature-vector/4",
  ],
  [
    "https://kaggle.com/models/google/yamnet/frameworks/TensorFlow2/variations/yamnet/versions/1",
    "kaggle",
    "kaggle:google/yamnet/tensorFlow2/yamnet/1",
  ],
  ["hf:google/vit-base-patch16-224", "hf"],
  ["hf:gpt2", "hf"],
  ["hf:gpt2@main/onnx/model.onnx", "hf"],
  ["hf:Xenova/resnet-50@v1.0/onnx/model.onnx", "hf"],
  ["hf:Xenova/resnet-50/onnx/model.onnx", "hf"],
  ["hf:org/name@refs/pr/3/model.keras", "hf"],
  ["hf:org/name@feature%2Fx", "hf"],
  ["hf://org/name", "hf", "hf:org/name"],
  ["https://huggingface.co/org/name", "hf", "hf:org/name"],
  ["https://huggingface.co/gpt2/blob/main/onnx/model.onnx?download=true", "hf", "hf:gpt2@main/onnx/model.onnx"],
  ["https://hf.co/org/name/resolve/0123456789/a%20b.h5", "hf", "hf:org/name@0123456789/a b.h5"],
  ["https://huggingface.co/org/name/tree/refs/pr/7", "hf", "hf:org/name@refs/pr/7"],
  ["https://example.org/models/cat.onnx", "url"],
  ["https://example.org/cat.tgz?version=2#top", "url", "https://example.org/cat.tgz?version=2"],
  ["https://github.com/a/b/blob/main/c.h5", "url", "https://github.com/a/b/raw/main/c.h5"],
  [
    "https://teachablemachine.withgoogle.com/models/x_Y-1/",
    "url",
    "https://teachablemachine.withgoogle.com/models/x_Y-1/model.json",
  ],
  ["https://teachablemachine.withgoogle.com/models/x/model.json", "url"],
  ["http://localhost:8000/cat.h5", "url"],
  ["http://127.0.0.1:8000/cat.h5", "url"],
  ["gs://bucket/folder/model.tar.gz", "url", "https://storage.googleapis.com/bucket/folder/model.tar.gz"],
];

/** Near misses, and a word that the error says. */
const mistakes: readonly (readonly [string, string])[] = [
  ["", "empty"],
  ["tfhub:google/nnlm/2", "https://tfhub.dev/google/nnlm/2"],
  ["tfhub.dev/google/nnlm/2", "https://tfhub.dev/google/nnlm/2"],
  ["www.kaggle.com/models/a/b/keras/c", "https://www.kaggle.com/models"],
  ["https://tfhub.dev/google/collections/bit/1", "page"],
  ["https://tfhub.dev/google/nnlm/2?tf-hub-format=uncompressed", "bucket"],
  ["kaggle:google/mobilenet-v2", "framework and the variation"],
  ["kaggle:google/mobilenet-v2/tensorFlow2", "variation"],
  ["kaggle:google/mobilenet-v2/tensorFlow9/x", "tensorFlow9"],
  ["kaggle:google/mobilenet-v2/tensorFlow2/x/latest", "latest"],
  ["kaggle:google/../tensorFlow2/x", "name that Kaggle"],
  ["https://www.kaggle.com/datasets/a/b", "not that of a model"],
  ["https://www.kaggle.com/models/google/mobilenet-v2", "framework"],
  ["hf:", "repository"],
  ["hf:org/na me", "repository"],
  ["hf:org/name@", "revision"],
  ["hf:org/name/../../secret", "no file"],
  ["hf:org/name@../../x/y", "revision"],
  ["hf:../x", "repository"],
  ["hf:a--b/c", "repository"],
  ["hf:org/name/a@main", "before the file"],
  ["huggingface:org/name", "hf:org/name"],
  ["https://huggingface.co/datasets/org/name", "not that of a model"],
  ["https://example.org/a b.h5", "spaces"],
  ["https://example.org/x/../secret.h5", ".."],
  ["https://example.org/x/%2e%2E/secret.h5", ".."],
  ["https://example.org/", "no file"],
  ["https://user:canary@example.org/a.h5", "password"],
  ["http://example.org/a.h5", "https"],
  ["ftp://example.org/a.h5", "https"],
  ["gs://bucket/folder", "listed"],
  ["keras:", "application"],
  ["keras:Mobile Net", "application"],
  ["keras:MobileNet?alpha", "name=value"],
  ["keras:MobileNet?alpha=1&alpha=2", "twice"],
];

describe("parseHandle", () => {
  const cases = handles.map(([typed, kind, printed = typed]) => ({ typed, kind, printed }));
  it.each(cases)("reads $typed as $kind", ({ typed, kind, printed }) => {
    const handle = parseHandle(typed);
    expect(handle.kind).toBe(kind);
    expect(printHandle(handle)).toBe(printed);
    expect(parseHandle(printHandle(handle))).toEqual(handle);
  });

  it.each(mistakes)("refuses %s and says what is meant", (typed, word) => {
    expect(() => parseHandle(typed)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(word) }),
    );
  });

  it("repeats no password", () => {
    expect(() => parseHandle("https://user:canary@example.org/a.h5")).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("canary") }),
    );
    expect(publicName(parseHandle("https://example.org/a.h5?X-Amz-Signature=canary&v=1"))).toBe(
      "https://example.org/a.h5?X-Amz-Signature=hidden&v=1",
    );
  });

  it("gives the same handle back for whatever it accepts", () => {
    const words = fc.constantFrom(
      "hf:",
      "kaggle:",
      "keras:",
      "https://huggingface.co/",
      "https://tfhub.dev/",
      "https://a.b/",
    );
    const pieces = fc.constantFrom(
      "org",
      "name",
      "@",
      "/",
      "..",
      "resolve",
      "main",
      "refs",
      "pr",
      "?",
      "a=b",
      "%2F",
      "%25",
      " ",
      "é",
      "keras",
      "1",
    );
    fc.assert(
      fc.property(words, fc.array(pieces, { maxLength: 9 }), (start, rest) => {
        let handle: Handle;
        try {
          handle = parseHandle(start + rest.join(""));
        } catch (error) {
          expect(error).toMatchObject({ code: "usage" });
          return;
        }
        expect(parseHandle(printHandle(handle))).toEqual(handle);
      }),
      { numRuns: 2000 },
    );
  });
});
