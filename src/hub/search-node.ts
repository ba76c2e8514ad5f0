/** @file Searching the hubs: one kind of row from each; a hub that does not answer is reported, the others' rows stand. */
import { GraftError } from "../tensor/index.ts";
import {
  endpoints,
  huggingFaceAuthorization,
  isHuggingFaceOffline,
  isOffline,
  kaggleAuthorization,
} from "./environment-node.ts";
import { Fields } from "./fields.ts";
import { askJson, type InterfaceOptions } from "./interface-node.ts";
import { isHuggingFaceName, isSlug, kaggleFrameworkNamed, plainText } from "./names.ts";

export type SearchTask = "image" | "text" | "audio";
export type SearchSource = "hf" | "kaggle";

export interface SearchQuery {
  readonly words: string;
  readonly task?: SearchTask | undefined;
  /** Default: all. */
  readonly source?: SearchSource | undefined;
  /** The most rows of each hub, from 1 to 100. Default: 20. */
  readonly limit?: number | undefined;
}

/** A model that a hub offers in a form that can be read. */
export interface FoundModel {
  readonly handle: string;
  readonly source: SearchSource;
  readonly title: string;
  /** The hub's own word: `image-classification`; `undefined` where it has none. */
  readonly task: string | undefined;
  readonly downloads: number | undefined;
  readonly license: string | undefined;
  readonly formats: readonly string[];
  readonly url: string;
}

export interface SearchResult {
  /** Of each hub the most used first. */
  readonly models: readonly FoundModel[];
  /** The hubs that did not answer, and why. */
  readonly failures: readonly { readonly source: SearchSource; readonly error: GraftError }[];
}

export interface SearchOptions extends Pick<InterfaceOptions, "signal" | "attempts" | "pause" | "timeout"> {
  readonly offline?: boolean | undefined;
}

const searches: Readonly<
  Record<SearchSource, (query: SearchQuery, options: InterfaceOptions) => Promise<FoundModel[]>>
> = {
  hf: searchHuggingFace,
  kaggle: searchKaggle,
};

/** Asks the hubs for models. Throws only what a signal's abort throws. */
export async function searchModels(query: SearchQuery, options: SearchOptions = {}): Promise<SearchResult> {
  const { offline, ...others } = options;
  const sources: readonly SearchSource[] = query.source === undefined ? ["hf", "kaggle"] : [query.source];
  const answers = await Promise.all(
    sources.map(async (source) => {
      try {
        if (offline ?? (source === "hf" ? isHuggingFaceOffline() : isOffline())) {
          throw new GraftError("not-cached", "the network is off", { path: [source] });
        }
        return { models: await searches[source](query, others), failures: [] };
      } catch (error) {
        if (!(error instanceof GraftError)) throw error;
        return { models: [], failures: [{ source, error }] };
      }
    }),
  );
  return { models: answers.flatMap(({ models }) => models), failures: answers.flatMap(({ failures }) => failures) };
}

/** Hugging Face's tasks of each kind. */
const pipelines: Readonly<Record<SearchTask, readonly string[]>> = {
  image: ["image-classification", "image-feature-extraction"],
  text: ["text-classification", "feature-extraction"],
  audio: ["audio-classification"],
};

/** Hugging Face's tags for what can be read here. */
const tags: ReadonlyMap<string, string> = new Map([
  ["onnx", "ONNX"],
  ["keras", "Keras"],
  ["tf-keras", "Keras"],
  ["tfjs", "TensorFlow.js"],
]);

async function searchHuggingFace(query: SearchQuery, options: InterfaceOptions): Promise<FoundModel[]> {
  const limit = limitOf(query);
  const authorization = await huggingFaceAuthorization();
  const tasks = query.task === undefined ? [undefined] : pipelines[query.task];
  const pages = await Promise.all(
    tasks.flatMap((task) =>
      ["onnx", "keras"].map(async (filter) => {
        const asked = new URLSearchParams({
          search: query.words,
          filter,
          sort: "downloads",
          direction: "-1",
          limit: `${limit}`,
        });
        if (task !== undefined) asked.set("pipeline_tag", task);
        const answer = await askJson(`${endpoints.huggingFace()}/api/models?${asked}`, { ...options, authorization });
        return Array.isArray(answer) ? answer : [];
      }),
    ),
  );
  const found = new Map<string, FoundModel>();
  for (const model of pages.flat().map((each) => new Fields(each))) {
    const name = model.text("id") ?? model.text("modelId") ?? "";
    if (!isHuggingFaceName(name)) continue;
    const labels = model.texts("tags");
    const license = labels.find((label) => label.startsWith("license:"));
    found.set(name, {
      handle: `hf:${name}`,
      source: "hf",
      title: name,
      task: plainText(model.text("pipeline_tag"), 60) || undefined,
      downloads: model.count("downloads"),
      license: license === undefined ? undefined : plainText(license.slice("license:".length), 60),
      formats: [...new Set(labels.flatMap((label) => tags.get(label) ?? []))],
      url: `https://huggingface.co/${name}`,
    });
  }
  return [...found.values()].sort((a, b) => (b.downloads ?? 0) - (a.downloads ?? 0)).slice(0, limit);
}

async function searchKaggle(query: SearchQuery, options: InterfaceOptions): Promise<FoundModel[]> {
  const authorization = await kaggleAuthorization();
  // Kaggle has no field for the task: it is a word like the others.
  const words = [query.words, query.task].filter(Boolean).join(" ");
  const limit = limitOf(query);
  const asked = new URLSearchParams({ search: words, sortBy: "downloadCount", pageSize: `${limit}` });
  const answer = new Fields(
    await askJson(`${endpoints.kaggle()}/api/v1/models/list?${asked}`, { ...options, authorization }),
  );
  const models = answer.list("models").map((each) => new Fields(each));
  return models.flatMap((model) => variationsOf(model, query.task)).slice(0, limit);
}

/** A row for each variation that can be read. */
function variationsOf(model: Fields, task: SearchTask | undefined): FoundModel[] {
  const [owner = "", name = ""] = (model.text("ref") ?? `${model.text("author")}/${model.text("slug")}`).split("/");
  return model
    .list("instances")
    .map((each) => new Fields(each))
    .flatMap((instance): FoundModel[] => {
      const framework = kaggleFrameworkNamed(instance.text("framework") ?? "");
      const variation = instance.text("slug") ?? "";
      if (framework?.format === undefined || ![owner, name, variation].every(isSlug)) return [];
      const path = `${owner}/${name}/${framework.name}/${variation}`;
      return [
        {
          handle: `kaggle:${path}`,
          source: "kaggle",
          title: plainText(model.text("title") ?? name),
          task,
          downloads: undefined,
          license: plainText(instance.text("licenseName"), 60) || undefined,
          formats: [framework.format],
          url: `https://www.kaggle.com/models/${path}`,
        },
      ];
    });
}

function limitOf({ limit = 20 }: SearchQuery): number {
  return Math.min(100, Math.max(1, Math.trunc(limit)));
}
