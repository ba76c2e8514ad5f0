/**
 * @file Damaged models of other systems through import: each is read, or refused with a reason. Where a format carries
 * checksums (zip, gzip, TensorBundle), bytes that were damaged never become other weights.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { gunzipSync, gzipSync, unzipSync, zipSync } from "fflate";
import { GraftError, onnxModelOf, writeModel } from "graftwork";
import { importModel } from "../../src/importers/index.ts";
import { filesInMemory } from "../../src/importers/model-files.ts";
import { bytesOf, randomNumbers } from "../../src/tensor/index.ts";
import { type Below, mutateFile, mutateHdf5, mutateMember, mutateTar, mutateZip } from "./containers.ts";
import { mutate } from "./mutate.ts";

const fixtures = resolve(import.meta.dirname, "../fixtures");
const shared = resolve(import.meta.dirname, "../../../shared/conformance/imports");

/** A model's files by name, and the one that is pointed at; a folder is where none is. */
interface Seed {
  readonly name: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly entry?: string | undefined;
}

/** What came of damage, and whether other weights are a mistake. */
interface Damaged {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly isChecked: boolean;
}

interface Format {
  seeds(): readonly Seed[];
  damage(seed: Seed, below: Below, next: () => number): Damaged;
}

const read = (path: string) => new Uint8Array(readFileSync(path));

function single(path: string, entry: string): Seed {
  const bytes = path.endsWith(".gz") && !path.endsWith(".tar.gz") ? gunzipSync(read(path)) : read(path);
  return { name: basename(path), files: new Map([[entry, bytes]]), entry };
}

function folder(path: string, entry?: string): Seed {
  const names = (readdirSync(path, { recursive: true }) as string[]).filter((name) =>
    statSync(join(path, name)).isFile(),
  );
  return { name: path, files: new Map(names.map((name) => [name, read(join(path, name))])), entry };
}

function unzipped(path: string): Seed {
  const members = Object.entries(unzipSync(read(path))).filter(([name]) => !name.endsWith("/"));
  return { name: basename(path), files: new Map(members) };
}

/** The cases of a kind in shared/conformance/imports, none where it is not there. */
function sharedSeeds(prefix: RegExp, make: (path: string) => Seed): readonly Seed[] {
  if (!existsSync(shared)) return [];
  return readdirSync(shared)
    .filter((name) => prefix.test(name))
    .map((name) => make(join(shared, name)));
}

const damageFirst =
  (change: (bytes: Uint8Array, below: Below, next: () => number) => Uint8Array, isChecked = false): Format["damage"] =>
  ({ files, entry = "" }, below, next) => ({
    files: new Map(files).set(entry, change(files.get(entry) ?? new Uint8Array(0), below, next)),
    isChecked,
  });

/** One of the files; the data and the index of a TensorBundle are checked by themselves. */
function damageOne({ files }: Seed, below: Below, next: () => number): Damaged {
  const names = [...files.keys()];
  const name = names[below(names.length)] ?? "";
  const bytes = files.get(name) ?? new Uint8Array(0);
  const changed = new Map(files).set(name, mutateFile(name, bytes, below, next));
  if (below(30) === 0) changed.delete(name);
  return { files: changed, isChecked: /variables\.(data|index)/.test(name) };
}

/** In an archive, or its own bytes. */
const memberOrBytes: Format["damage"] = (seed, below, next) =>
  below(2) === 0 ? damageFirst(mutateMember)(seed, below, next) : damageFirst(mutateZip, true)(seed, below, next);

function zipOf(seed: Seed): Seed {
  return { name: seed.name, entry: "m.zip", files: new Map([["m.zip", zipSync(Object.fromEntries(seed.files))]]) };
}

function tarOf(seed: Seed): Seed {
  const blocks = [...seed.files].flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write("0000644\0", 100);
    header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write("0", 156);
    header.write("ustar\x0000", 257, "latin1");
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  const tar = gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
  return { name: seed.name, entry: "m.tar.gz", files: new Map([["m.tar.gz", tar]]) };
}

const small = [
  "module_several_signatures",
  "module_cond_while",
  "keras3_dict_outputs",
  "tf1_renamed_saver",
  "tf1_partitioned",
];
const savedModels = (): readonly Seed[] => small.map((name) => unzipped(join(fixtures, `tensorflow/${name}.zip`)));
const tfjs = (): readonly Seed[] => {
  const strangers = join(fixtures, "strangers");
  const control: Seed = {
    name: "control",
    entry: "model.json",
    files: new Map([
      ["model.json", read(join(strangers, "control.model.json"))],
      ["w.bin", new Uint8Array(32).fill(1)],
    ]),
  };
  return [
    control,
    ...sharedSeeds(/^tfjs_.*_(oplambda|acts|sequential)$/, (path) => folder(join(path, "model"), "model.json")),
  ];
};

/** Every format that is imported, by the name that `npm run fuzz` takes. */
const formats: ReadonlyMap<string, Format> = new Map<string, Format>([
  [
    "h5",
    {
      seeds: () => [
        single(join(fixtures, "importers/keras/keras2.h5.gz"), "m.h5"),
        single(join(fixtures, "importers/keras/keras3.h5.gz"), "m.h5"),
        single(join(fixtures, "strangers/control.h5.gz"), "m.h5"),
        ...sharedSeeds(/^keras[23]_h5_(oplambda|sequential)$/, (path) => single(join(path, "model.h5"), "m.h5")),
      ],
      damage: damageFirst(mutateHdf5),
    },
  ],
  [
    "keras",
    {
      seeds: () => [
        single(join(fixtures, "importers/keras/keras2.keras"), "m.keras"),
        single(join(fixtures, "importers/keras/keras3.keras"), "m.keras"),
        ...sharedSeeds(/^keras[23]_keras_(oplambda|sequential)$/, (path) =>
          single(join(path, "model.keras"), "m.keras"),
        ),
      ],
      damage: memberOrBytes,
    },
  ],
  [
    "weights.h5",
    {
      seeds: () => {
        const config = read(join(fixtures, "importers/keras/model.json"));
        const { files, entry, name } = single(join(fixtures, "importers/keras/keras3.weights.h5.gz"), "m.weights.h5");
        return [
          { name, entry, files: new Map(files).set("model.json", config) },
          ...sharedSeeds(/^keras3_config\+weights_(oplambda|sequential)$/, (path) => folder(path, "model.weights.h5")),
        ];
      },
      damage: ({ files }, below, next) => {
        const name = [...files.keys()].find((each) => each.endsWith(below(3) === 0 ? "model.json" : ".h5")) ?? "";
        return {
          files: new Map(files).set(name, mutateFile(name, files.get(name) ?? new Uint8Array(0), below, next)),
          isChecked: false,
        };
      },
    },
  ],
  ["savedmodel", { seeds: savedModels, damage: damageOne }],
  ["tfjs", { seeds: tfjs, damage: damageOne }],
  ["zip", { seeds: () => [...savedModels(), ...tfjs()].map(zipOf), damage: memberOrBytes }],
  [
    "tar.gz",
    {
      seeds: () => [...savedModels(), ...tfjs()].map(tarOf),
      damage: (seed, below, next) =>
        below(3) > 0
          ? damageFirst(mutateTar)(seed, below, next)
          : damageFirst((bytes) => mutate(bytes, bytes, next), true)(seed, below, next),
    },
  ],
]);

/** The names of what is imported. */
export const importFormats: readonly string[] = [...formats.keys()];

/** What came of one damaged model: `undefined` where it was read, `""` where it was refused well, else what went wrong. */
export type Judgement = string | undefined;

/** Imports damaged models of a format: the same seed makes the same damage. */
export async function importFuzzer(format: string): Promise<(seed: number) => Promise<Judgement>> {
  const found = formats.get(format);
  if (found === undefined) throw new Error(`no format ${format}; one of ${importFormats.join(", ")}`);
  const seeds = await Promise.all(
    found.seeds().map(async (seed) => ({ seed, weights: await weightsDigest(seed.files, seed.entry) })),
  );
  return async (number) => {
    const next = randomNumbers(number);
    const below: Below = (count) => Math.floor(next() * Math.max(count, 1));
    const { seed, weights } = seeds[below(seeds.length)] ?? { seed: { name: "", files: new Map() }, weights: "" };
    const { files, isChecked } = found.damage(seed, below, next);
    const place = `${format}, ${basename(seed.name)}, seed ${number}`;
    try {
      const digest = await weightsDigest(files, seed.entry);
      if (isChecked && digest !== weights) return `${place}: damage that checksums see became other weights`;
      return undefined;
    } catch (error) {
      if (!(error instanceof GraftError)) return `${place}: ${error instanceof Error ? error.stack : error}`;
      const isGood = /^(model-invalid|model-refused|out-of-resources)$/.test(error.code) && error.reason !== "";
      return isGood ? "" : `${place}: ${error.code}: ${error.message}`;
    }
  };
}

/** Imports, writes as ONNX, and says what the constants are. */
async function weightsDigest(files: ReadonlyMap<string, Uint8Array>, entry: string | undefined): Promise<string> {
  const { graph } = await importModel({ files: filesInMemory(files), entry }, { name: "m" });
  writeModel(onnxModelOf(graph));
  const hash = createHash("sha256");
  for (const tensor of graph.initializers.values()) {
    if (tensor.dtype === "string") for (const text of tensor.data) hash.update(text);
    else hash.update(bytesOf(tensor));
  }
  return hash.digest("hex");
}
