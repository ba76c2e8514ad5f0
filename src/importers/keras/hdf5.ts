/** @file HDF5 files, as far as models use them: groups, attributes and data sets, by an own reader that trusts nothing. */
import { GraftError } from "../../tensor/index.ts";
import { Attributes } from "./hdf5-attributes.ts";
import { datasetOf, type Hdf5Dataset } from "./hdf5-data.ts";
import { messagesAt, messageTypes, rootAddress } from "./hdf5-header.ts";
import { type Link, linksOf } from "./hdf5-links.ts";
import { damaged, Source } from "./hdf5-source.ts";

/** A data set with its attributes, not yet read. */
export interface Hdf5Leaf {
  readonly kind: "dataset";
  readonly attributes: Attributes;
  /** Checks where the elements lie. Throws GraftError where they cannot be read. */
  open(): Hdf5Dataset;
}

type Hdf5Object = Hdf5Group | Hdf5Leaf;

/** The objects of a file by where their headers lie: each is read once. */
class Objects {
  readonly #source: Source;
  readonly #known = new Map<number, Hdf5Object>();

  constructor(source: Source) {
    this.#source = source;
  }

  at(address: number): Hdf5Object {
    const known = this.#known.get(address) ?? this.#read(address);
    this.#known.set(address, known);
    return known;
  }

  #read(address: number): Hdf5Object {
    const source = this.#source;
    const messages = messagesAt(source, address);
    const attributes = new Attributes(source, messages);
    if (!messages.some(({ type }) => type === messageTypes.dataspace)) {
      return new Hdf5Group(this, address, linksOf(source, messages), attributes);
    }
    let dataset: Hdf5Dataset | undefined;
    const open = (): Hdf5Dataset => {
      dataset ??= datasetOf(source, messages);
      return dataset;
    };
    return { kind: "dataset", attributes, open };
  }
}

/** A group of a file. Links are never followed, only told. */
export class Hdf5Group {
  readonly kind = "group";
  readonly attributes: Attributes;
  /** Where its header lies, by which it is known. */
  readonly address: number;
  readonly #objects: Objects;
  readonly #links: ReadonlyMap<string, Link>;

  constructor(objects: Objects, address: number, links: ReadonlyMap<string, Link>, attributes: Attributes) {
    this.address = address;
    this.#objects = objects;
    this.#links = links;
    this.attributes = attributes;
  }

  /** In the file's order. */
  get names(): readonly string[] {
    return [...this.#links.keys()];
  }

  has(name: string): boolean {
    return this.#links.has(name);
  }

  /**
   * What lies at a path below the group.
   *
   * @throws GraftError `model-invalid` where there is nothing, `model-refused` where a link would have to be followed
   */
  at(path: string): Hdf5Object {
    let found: Hdf5Object = this;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (found.kind === "dataset") throw missing(path);
      found = found.#child(name, path);
    }
    return found;
  }

  group(path: string): Hdf5Group {
    const found = this.at(path);
    if (found.kind === "group") return found;
    throw new GraftError("model-invalid", "a group is expected, and a data set is there", { path: [path] });
  }

  #child(name: string, path: string): Hdf5Object {
    const link = this.#links.get(name);
    if (link === undefined) throw missing(path);
    if (link.kind !== "object") {
      throw new GraftError(
        "model-refused",
        `the HDF5 file has ${link.kind === "soft link" ? "a" : "an"} ${link.kind}`,
        {
          path: [path],
          actual: JSON.stringify(link.target.slice(0, 120)),
          hint: "links may lead out of the file and are not followed: save the model again with model.save of Keras",
        },
      );
    }
    return this.#objects.at(link.at);
  }
}

function missing(path: string): GraftError {
  return new GraftError("model-invalid", "what the file lists is not there", { path: [path] });
}

/**
 * The root group of a file.
 *
 * @throws GraftError `model-invalid` where the bytes are cut off or damaged
 */
export function openHdf5(bytes: Uint8Array): Hdf5Group {
  const source = new Source(bytes);
  const root = new Objects(source).at(rootAddress(source));
  if (root.kind === "dataset") throw damaged("a group at the root");
  return root;
}
