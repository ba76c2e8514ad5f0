/** @file Which of a repository's files are the model: one table of formats, best first, and what belongs to each file. */
import { GraftError } from "../tensor/index.ts";

export interface Choice {
  readonly kind: "file" | "folder" | "archive";
  /** The file's or folder's name in the repository; "" is the repository itself. */
  readonly name: string;
  /** All files that it consists of, as far as their names tell. */
  readonly needed: readonly string[];
}

interface Format {
  readonly title: string;
  /** The models of this format among the names: what each is called, best first where one is better. */
  readonly models: (names: readonly string[]) => readonly string[];
  /** Whether the first, if it has one of these names, is taken although there are others. */
  readonly preferred: readonly string[];
  readonly choose: (model: string, names: readonly string[]) => Choice;
}

const QUANTIZED = /[_.-](fp16|f16|bf16|quantized|quant|int8|uint8|int4|uint4|q4|q4f16|q8|bnb4)(_\w+)?\.onnx$/i;
const ARCHIVE = /\.(zip|tar|tar\.gz|tgz)$/i;
/** Weights of other libraries under the same ending: Transformers' TensorFlow weights hold no architecture. */
const NO_MODEL = /(^|\/)(tf_model|flax_model)[^/]*\.h5$/;

const formats: readonly Format[] = [
  {
    title: "ONNX",
    models: (names) => names.filter((name) => name.endsWith(".onnx") && !QUANTIZED.test(name)),
    preferred: ["onnx/model.onnx", "model.onnx"],
    choose: (name, names) => ({
      kind: "file",
      name,
      needed: [name, ...names.filter((other) => isDataOf(other, name))],
    }),
  },
  {
    title: "Keras",
    models: (names) => names.filter((name) => name.endsWith(".keras")),
    preferred: ["model.keras"],
    choose: single("file"),
  },
  {
    title: "Keras's folder",
    models: (names) =>
      foldersWith(names, "model.weights.h5").filter((folder) => names.includes(`${folder}config.json`)),
    preferred: [""],
    choose: (folder) => ({
      kind: "folder",
      name: folder,
      needed: [`${folder}config.json`, `${folder}model.weights.h5`],
    }),
  },
  {
    title: "HDF5",
    models: (names) => names.filter((name) => /(?<!\.weights)\.(h5|hdf5)$/.test(name) && !NO_MODEL.test(name)),
    preferred: ["model.h5"],
    choose: single("file"),
  },
  {
    title: "SavedModel",
    models: (names) => foldersWith(names, "saved_model.pb"),
    preferred: ["", "saved_model/"],
    choose: (folder, names) => ({ kind: "folder", name: folder, needed: savedModelFiles(folder, names) }),
  },
  {
    title: "TensorFlow.js",
    models: (names) => foldersWith(names, "model.json").map((folder) => `${folder}model.json`),
    preferred: ["model.json"],
    choose: (name, names) => {
      const folder = name.slice(0, -"model.json".length);
      const weights = names.filter(
        (other) => other.startsWith(folder) && /^[^/]+\.h5$/.test(other.slice(folder.length)),
      );
      return { kind: "file", name, needed: [name, ...weights] };
    },
  },
  {
    title: "an archive",
    models: (names) => names.filter((name) => ARCHIVE.test(name)),
    preferred: [],
    choose: single("archive"),
  },
];

function single(kind: Choice["kind"]): Format["choose"] {
  return (name) => ({ kind, name, needed: [name] });
}

/** Formats that hold weights without a graph, or code. */
const UNREADABLE = /\.(safetensors|bin|pt|pth|pkl|pickle|ckpt|msgpack|gguf|ggml|tflite|npz|mlmodel|engine|ot)$/i;

/**
 * The model among a repository's files, or in the file or folder that was asked for.
 *
 * @throws GraftError `model-refused` where there is none that can be read, or several; `usage` where there is no such file
 */
export function chooseModel(names: readonly string[], asked: string | undefined): Choice {
  if (asked === undefined) return chosen(names, "");
  if (names.includes(asked)) return chosenFile(asked, names);
  const folder = `${asked.replace(/\/$/, "")}/`;
  const inside = names.filter((name) => name.startsWith(folder));
  if (inside.length > 0) return chosen(inside, folder);
  throw new GraftError("usage", `there is no file "${asked}"`, { actual: listed(names) });
}

/** Whether there is anything among the names that can be read. */
export function hasModel(names: readonly string[]): boolean {
  return formats.some(({ models }) => models(names).length > 0);
}

function chosenFile(asked: string, names: readonly string[]): Choice {
  if (UNREADABLE.test(asked)) throw unreadable([asked]);
  if (asked.endsWith("saved_model.pb")) {
    const folder = asked.slice(0, -"saved_model.pb".length);
    return { kind: "folder", name: folder, needed: savedModelFiles(folder, names) };
  }
  const format = formats.find(({ models }) => models([asked]).includes(asked));
  return format?.choose(asked, names) ?? { kind: "file", name: asked, needed: [asked] };
}

function chosen(names: readonly string[], folder: string): Choice {
  for (const { title, models, preferred, choose } of formats) {
    const found = models(names);
    const best = preferred.map((name) => folder + name).find((name) => found.includes(name));
    const only = best ?? (found.length === 1 ? found[0] : undefined);
    if (only !== undefined) return choose(only, names);
    if (found.length > 1) {
      throw new GraftError("model-refused", `there are ${found.length} models in the form of ${title}`, {
        actual: listed(found.map((name) => name || "(the top)")),
        hint: "name one of them after the repository: hf:org/name/file",
      });
    }
  }
  const quantized = names.filter((name) => QUANTIZED.test(name));
  if (quantized.length > 0) {
    throw new GraftError("model-refused", "there are only models of reduced precision, which cannot be fine-tuned", {
      actual: listed(quantized),
      hint: "name one of them after the repository to run it as it is: hf:org/name/file",
    });
  }
  const weights = names.filter((name) => UNREADABLE.test(name) || NO_MODEL.test(name));
  throw unreadable(weights.length > 0 ? weights : names);
}

function unreadable(names: readonly string[]): GraftError {
  return new GraftError(
    "model-refused",
    "there is no model that can be read: weights without a graph, or Python's own files",
    {
      expected: "ONNX, .keras, .h5, a SavedModel or a TensorFlow.js model",
      actual: listed(names) || "nothing else",
      hint: "look for an export (onnx-community has many), or make one: optimum-cli export onnx --model org/name folder",
    },
  );
}

/** The folders, "" or with a slash at the end, that hold a file of this name: the outermost first. */
function foldersWith(names: readonly string[], file: string): string[] {
  const found = names.filter((name) => name === file || name.endsWith(`/${file}`));
  return found.map((name) => name.slice(0, -file.length)).sort((a, b) => a.length - b.length);
}

function savedModelFiles(folder: string, names: readonly string[]): string[] {
  const isPart = /^(saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|(variables|assets|assets\.extra)\/.+)$/;
  return names.filter((name) => name.startsWith(folder) && isPart.test(name.slice(folder.length)));
}

/** Whether a file holds the weights that an ONNX file leaves outside: `model.onnx_data`, `model.onnx.data`, `model.data`. */
function isDataOf(name: string, model: string): boolean {
  const stem = model.slice(0, -".onnx".length);
  const rest = name.startsWith(model) ? name.slice(model.length) : name.startsWith(stem) ? name.slice(stem.length) : "";
  return /^([._]data(_\d+)?|\.onnx[._]data(_\d+)?|_weights\.bin)$/.test(rest);
}

function listed(names: readonly string[]): string {
  return names.slice(0, 10).join(", ") + (names.length > 10 ? ` and ${names.length - 10} more` : "");
}
