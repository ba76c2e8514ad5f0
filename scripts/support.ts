// `npm run support` writes docs/support.md from the tables of src/; with --check it fails where the page is stale. A family of
// rows is whatever a file exports that stands in the table, under the file's own first line: none can be forgotten.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Family, families } from "../src/applications/index.ts";
import { zero } from "../src/gradient/rule.ts";
import { gradientRules } from "../src/gradient/table.ts";
import { type Operator, operators, schemaOf } from "../src/graph/index.ts";
import { foreignKinds } from "../src/importers/foreign.ts";
import { importedFormats } from "../src/importers/formats.ts";
import { refuseUnknown } from "../src/importers/keras/model-refusals.ts";
import { kerasRows } from "../src/importers/keras/operations-keras.ts";
import { nodeRows } from "../src/importers/keras/operations-node-def.ts";
import { tensorflowRows } from "../src/importers/keras/operations-tensorflow.ts";
import { operatorTable } from "../src/importers/tensorflow/operators/table.ts";
import { activations } from "../src/layers/activations.ts";
import { layerTable } from "../src/layers/index.ts";
import { newestOpset, oldestOpset } from "../src/onnx/model.ts";
import { signatures } from "../src/onnx/recognize.ts";
import { GraftError } from "../src/tensor/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = "docs/support.md";

/** The rows of a table that one file gives. */
interface FileRows {
  readonly path: string;
  /** The file's own words on itself. */
  readonly about: string;
  readonly names: readonly string[];
}

/** The files of a folder that export rows. */
async function rowsIn(folder: string, isRow: (name: string, value: unknown) => boolean): Promise<FileRows[]> {
  const found: FileRows[] = [];
  for (const file of readdirSync(`${root}${folder}`).sort()) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts") || /^(table|index)\.ts$/.test(file)) continue;
    const path = `${folder}/${file}`;
    const exported: Record<string, unknown> = await import(pathToFileURL(root + path).href);
    const names = Object.values(exported)
      .flatMap(entriesOf)
      .flatMap(([name, value]) => (isRow(name, value) ? [name] : []));
    if (names.length === 0) continue;
    const about = /^\/\*\* @file (.*?) \*\/$/m.exec(readFileSync(root + path, "utf8"))?.[1] ?? "";
    found.push({ path, about: about.replace(/[.]$/, ""), names: sorted(new Set(names)) });
  }
  return found;
}

/** What a table exports as a Map, a list of pairs or an object. */
function entriesOf(exported: unknown): (readonly [string, unknown])[] {
  if (typeof exported !== "object" || exported === null) return [];
  const entries: readonly unknown[] =
    exported instanceof Map || Array.isArray(exported) ? [...exported] : Object.entries(exported);
  return entries.flatMap((entry) =>
    Array.isArray(entry) && typeof entry[0] === "string" ? [[entry[0], entry[1]] as const] : [],
  );
}

/** A file and its rows as a table, whole: every name of `all` stands in one of the files. */
function familyTable(heading: string, files: readonly FileRows[], all: Iterable<string>): string[] {
  const listed = new Set(files.flatMap(({ names }) => names));
  const missing = [...all].filter((name) => !listed.has(name));
  if (missing.length > 0) throw new Error(`no file exports the rows of ${missing.join(", ")}`);
  return table(
    [heading, "names"],
    files.map(({ path, about, names }) => [`[${about}](../${path})`, codes(names)]),
  );
}

const sorted = (names: Iterable<string>): string[] => [...names].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
const codes = (names: Iterable<string>): string => [...names].map((name) => `\`${name}\``).join(", ");
const link = (path: string): string => `[${path}](../${path})`;

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heading), `|${heading.map(() => "---|").join("")}`, ...rows.map(line), ""];
}

function formats(): string[] {
  const advice = signatures.flatMap(([, , what, hint]) => (hint === undefined ? [] : [[what, hint] as const]));
  const told = new Map([...advice, ...foreignKinds.map(([, what, hint]) => [what, hint] as const)]);
  return [
    "## Formats",
    "",
    `From ${link("src/importers/formats.ts")}. ONNX is read at opset ${oldestOpset} to ${newestOpset} (${link("src/onnx/model.ts")}).`,
    "",
    ...table(
      ["format", "recognised by", "written by", "not taken"],
      importedFormats.map(({ name, recognizedBy, writtenBy, refused }) => [name, recognizedBy, writtenBy, refused]),
    ),
    "An `.h5` with weights alone, as Keras publishes them, is a model where it belongs to one of [keras.applications](#kerasapplications).",
    "",
    `What is told apart and sent back with advice (${link("src/importers/foreign.ts")}, ${link("src/onnx/recognize.ts")}):`,
    "",
    ...table(
      ["what it is", "what to do"],
      sorted(told.keys()).map((what) => [what, told.get(what) ?? ""]),
    ),
  ];
}

async function layers(): Promise<string[]> {
  const known = new Map([...layerTable].filter(([name]) => !refusedClasses.includes(name)));
  const files = await rowsIn("src/layers", (name, value) => known.has(name) && known.get(name) === value);
  return [
    "## Keras's layers",
    "",
    `${known.size} classes, from ${link("src/layers/table.ts")}; Keras 1, 2 and 3 under one name, where they differ each in its own way.`,
    "",
    ...familyTable("layers", files, known.keys()),
    `Refused (${link("src/importers/keras/model-refusals.ts")}), like every class that is not above: by name, all at once, unless \`customLayers\` says what they compute.`,
    "",
    ...table(
      ["class", "why"],
      refusedClasses.map((className) => [`\`${className}\``, reasonAgainst(className)]),
    ),
    "`StringLookup` and `TextVectorization` right after an input of texts become a step before the graph, which then takes their numbers.",
    "",
    "### Activations",
    "",
    `From ${link("src/layers/activations.ts")}; layers can serve as activations, too.`,
    "",
    codes(sorted(activations.keys())),
    "",
  ];
}

/** Keras's own classes that hold code, or work on texts. */
const refusedClasses = [
  "FlaxLayer",
  "JaxLayer",
  "KerasLayer",
  "Lambda",
  "StringLookup",
  "TFSMLayer",
  "TextVectorization",
  "TorchModuleWrapper",
];

/** What the importer says of a model with a layer of that class. */
function reasonAgainst(className: string): string {
  const common = { className, trainable: true, config: {}, sharedId: undefined, calls: [], model: undefined };
  const layer = { ...common, kind: "layer", name: "it", foreign: undefined } as const;
  const model = { className: "Sequential", name: "model", trainable: true, layers: [layer], inputs: [], outputs: [] };
  try {
    refuseUnknown(model, { custom: undefined, textLayers: new Set() });
  } catch (error) {
    if (error instanceof GraftError) return error.reason.replace(/^.*\(\w+\) /, "");
    throw error;
  }
  throw new Error(`${className} is not refused any more`);
}

async function operations(): Promise<string[]> {
  const rows = [...kerasRows.values(), ...tensorflowRows.values(), ...nodeRows.values()];
  const own = new Set(rows.map(([operation]) => operation));
  const files = await rowsIn("src/importers/keras", (name, value) => own.has(name) && typeof value === "function");
  const placed = new Set(files.flatMap(({ names }) => names));
  const missing = [...own].filter((name) => !placed.has(name));
  if (missing.length > 0) throw new Error(`no file exports the operations ${missing.join(", ")}`);
  const namesFor = (from: typeof kerasRows, names: readonly string[], prefix: string): string => {
    const found = sorted(from.keys()).filter((name) => names.includes(from.get(name)?.[0] ?? ""));
    return found.length === 0 ? "–" : codes(found.map((name) => prefix + name));
  };
  return [
    "## Operations between Keras's layers",
    "",
    `Keras 3's own (\`keras.ops\`, ${kerasRows.size}), TensorFlow's functions in Keras 2 (\`TFOpLambda\`, \`SlicingOpLambda\`, ${tensorflowRows.size}) and nodes in TensorFlow 2.0 to 2.3 (\`TensorFlowOpLayer\`, ${nodeRows.size}), from ${link("src/importers/keras/operations-keras.ts")}, ${link("src/importers/keras/operations-tensorflow.ts")} and ${link("src/importers/keras/operations-node-def.ts")}.`,
    "",
    ...files.flatMap(({ path, about, names }) => [
      `[${about}](../${path})`,
      "",
      `- Keras 3: ${namesFor(kerasRows, names, "")}`,
      `- Keras 2: ${namesFor(tensorflowRows, names, "tf.")}`,
      `- nodes: ${namesFor(nodeRows, names, "")}`,
      "",
    ]),
  ];
}

async function tensorFlow(): Promise<string[]> {
  const isRow = (name: string, value: unknown) => operatorTable.has(name) && operatorTable.get(name) === value;
  const files = await rowsIn("src/importers/tensorflow/operators", isRow);
  return [
    "## TensorFlow's operators",
    "",
    `${operatorTable.size} operators of SavedModels, frozen graphs and TensorFlow.js graph models, from ${link("src/importers/tensorflow/operators/table.ts")}. Others are refused, all of a model's at once. Variables, functions, control flow of TensorFlow 1 and assertions are resolved before (${link("src/importers/tensorflow/freeze.ts")}) and need no row.`,
    "",
    ...familyTable("operators", files, operatorTable.keys()),
  ];
}

async function applications(): Promise<string[]> {
  const files = await rowsOfFamilies();
  return [
    "## keras.applications",
    "",
    `${families.length} models, from ${link("src/applications/families.ts")}. Pixels: \`tf\` −1 to 1, \`torch\` ImageNet's mean and deviation, \`caffe\` BGR less the mean, \`raw\` 0–255, scaled inside. Weights: Keras's own files, with and without the top. A digest is the one that Keras states; without one, \`graft.lock\` or the first download has to be trusted.`,
    "",
    ...table(
      [
        "model",
        "size (least)",
        "pixels",
        "parameters",
        "top-1",
        "published weights",
        "digest",
        "licence",
        "options of its own",
      ],
      families.map((family) => [
        `[${family.name}](../${files.get(family.name)})`,
        `${family.defaultSize} (${family.smallestSide})`,
        `\`${family.preprocessing}\``,
        family.parameters.toLocaleString("en-US"),
        family.accuracy?.toFixed(3) ?? "–",
        published(family),
        sorted(new Set(family.published.map(({ digest }) => digest?.algorithm.toUpperCase() ?? "none"))).join(", "),
        family.license,
        family.options.length === 0 ? "–" : codes(family.options),
      ]),
    ),
    "`includeTop`, `inputShape`, `pooling`, `classes`, `classifierActivation`, `weights` and `name` are options of all.",
    "",
  ];
}

function published({ published: files }: Family): string {
  const widths = [...new Set(files.flatMap(({ alpha }) => alpha ?? []))].sort((a, b) => a - b);
  const sizes = [...new Set(files.flatMap(({ size }) => size ?? []))].sort((a, b) => a - b);
  const parts = [
    ...(widths.length > 0 ? [`alpha ${widths.join(", ")}`] : []),
    ...(sizes.length > 0 ? [`at ${sizes.join(", ")}`] : []),
    ...(files.some(({ minimalistic }) => minimalistic) ? ["minimalistic"] : []),
  ];
  return `${files.length} files${parts.length > 0 ? `: ${parts.join("; ")}` : ""}`;
}

/** Which file builds a family. */
async function rowsOfFamilies(): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>();
  for (const file of readdirSync(`${root}src/applications`).sort()) {
    if (file.endsWith(".test.ts") || file === "families.ts" || file === "index.ts") continue;
    const exported: Record<string, unknown> = await import(pathToFileURL(`${root}src/applications/${file}`).href);
    for (const row of Object.values(exported).flat()) {
      const family = families.find((each) => each === row);
      if (family !== undefined) places.set(family.name, `src/applications/${file}`);
    }
  }
  return places;
}

async function onnx(): Promise<string[]> {
  const isRow = (name: string, value: unknown) => operators.some((each) => each === name && schemaOf(each) === value);
  const files = await rowsIn("src/graph/vocabulary", isRow);
  const state = (operator: Operator) => gradientRules[operator];
  const flat = operators.filter((each) => Object.is(state(each), zero));
  const reasons = operators.flatMap((each) => {
    const rule = state(each);
    return rule.differentiable ? [] : [[rule.reason, each] as const];
  });
  return [
    "## ONNX operators and their derivatives",
    "",
    `${operators.length} operators, from ${link("src/graph/operators.ts")}, ${operators.length - reasons.length} of them with a derivative, from ${link("src/gradient/table.ts")}. Any other operator travels through as it is and runs, frozen: only a gradient path through it is an error, which names it (\`graft inspect\` says what stops fine-tuning).`,
    "",
    ...familyTable("operators", files, operators),
    "Without a derivative:",
    "",
    ...table(
      ["why", "operators"],
      sorted(new Set(reasons.map(([reason]) => reason))).map((reason) => [
        reason,
        codes(reasons.flatMap(([own, name]) => (own === reason ? [name] : []))),
      ]),
    ),
    `Zero everywhere, being constant between jumps: ${codes(flat)}.`,
    "",
  ];
}

const text = [
  "# What is supported",
  "",
  "<!-- Generated by `npm run support` (scripts/support.ts) from the tables themselves: change those, not this page. -->",
  "",
  "Generated from the tables that the program itself reads, by `npm run support`; `npm run check` fails where it is stale. How models are found, fetched, read and checked: [sources.md](sources.md).",
  "",
  ...formats(),
  ...(await layers()),
  ...(await operations()),
  ...(await tensorFlow()),
  ...(await applications()),
  ...(await onnx()),
]
  .join("\n")
  .trimEnd();

if (!process.argv.includes("--check")) writeFileSync(root + page, `${text}\n`);
else if (readFileSync(root + page, "utf8") !== `${text}\n`) {
  console.error(`${page} is not what the tables say: npm run support`);
  process.exitCode = 1;
}
