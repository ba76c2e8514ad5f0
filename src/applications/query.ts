/** @file The arguments of an application as a handle writes them: `ResNet50?include_top=false&pooling=avg`. */
import { GraftError } from "../tensor/index.ts";
import type { Family, FamilyOptions, InputShape } from "./family.ts";

type Read = (text: string) => unknown;

const boolean: Read = (text) => (/^(true|1)$/i.test(text) ? true : /^(false|0)$/i.test(text) ? false : undefined);
const number: Read = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? undefined : Number(text));
const orNone =
  (read: Read): Read =>
  (text) =>
    /^(none|null)$/i.test(text) ? null : read(text);

interface Parameter {
  readonly read: Read;
  /** What may be given, for people. */
  readonly takes: string;
}

const parameters: { readonly [Name in keyof FamilyOptions]-?: Parameter } = {
  inputShape: { read: shape, takes: "160x160x3" },
  includeTop: { read: boolean, takes: "true or false" },
  pooling: { read: orNone((text) => (text === "avg" || text === "max" ? text : undefined)), takes: "avg, max or none" },
  classes: { read: number, takes: "a number" },
  classifierActivation: { read: orNone((text) => text), takes: "softmax or none" },
  weights: { read: orNone((text) => (text === "imagenet" ? text : undefined)), takes: "imagenet or none" },
  name: { read: (text) => text, takes: "a name" },
  alpha: { read: number, takes: "a number" },
  depthMultiplier: { read: number, takes: "a number" },
  dropout: { read: number, takes: "a number" },
  dropoutRate: { read: number, takes: "a number" },
  minimalistic: { read: boolean, takes: "true or false" },
  includePreprocessing: { read: boolean, takes: "true or false" },
};

/** The options that every family has. */
const common: readonly (keyof FamilyOptions)[] = [
  "inputShape",
  "includeTop",
  "pooling",
  "classes",
  "classifierActivation",
  "weights",
  "name",
];

/**
 * The options that a handle's query gives for a family. Names are Keras's, `include_top`, or written as here, `includeTop`.
 *
 * @throws GraftError `usage` for options that the family does not have, given twice, or with values they do not take
 */
export function applicationFromQuery(family: Family, query: URLSearchParams): FamilyOptions {
  const allowed = [...common, ...family.options];
  const options = new Map<string, unknown>();
  for (const [given, text] of query) {
    const name = given.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const known = allowed.find((each) => each === name);
    if (known === undefined) {
      throw new GraftError("usage", `"${given}" is no option of ${family.name}`, {
        path: [family.name],
        expected: allowed.map(snakeCase).join(", "),
      });
    }
    const { read, takes } = parameters[known];
    const value = read(text);
    if (value === undefined || options.has(known)) {
      const what = options.has(known) ? `${given} is given twice` : `${given} does not take that value`;
      throw new GraftError("usage", what, { path: [family.name], expected: takes, actual: text.slice(0, 80) });
    }
    options.set(known, value);
  }
  return Object.fromEntries(options);
}

/** The query that gives these options, in the same words: `alpha=0.5&include_top=false`. */
export function queryOf(options: FamilyOptions): string {
  const words = Object.entries(options).map(([name, value]) => {
    const text = Array.isArray(value) ? value.map((size) => size ?? "none").join("x") : String(value ?? "none");
    return `${snakeCase(name)}=${encodeURIComponent(text)}`;
  });
  return words.join("&");
}

/** `160x160x3`, `160,160,3` or `160x160`; `none` for an open size. */
function shape(text: string): InputShape | undefined {
  const sizes = text
    .replace(/[()[\]\s]/g, "")
    .split(/[x,]/)
    .filter((size) => size !== "")
    .map((size) => (/^(none|null)$/i.test(size) ? null : Number(size)));
  const [height, width, channels = 3] = sizes;
  const isShape = sizes.length === 2 || sizes.length === 3;
  if (!isShape || height === undefined || width === undefined || channels === null) return undefined;
  return sizes.every((size) => size === null || Number.isSafeInteger(size)) ? [height, width, channels] : undefined;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
