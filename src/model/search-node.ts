/** @file `graft search`: the built-in catalogue and, where there is a network, the hubs. */
import { type FoundModel, type SearchOptions as HubOptions, searchModels } from "../hub/index.ts";
import { type CatalogueEntry, type CatalogueQuery, searchCatalogue } from "./catalogue.ts";

export interface SearchQuery extends CatalogueQuery {
  /** `keras`: the catalogue's keras.applications alone; `hf`, `kaggle`: that hub. Default: everywhere. */
  readonly source?: "keras" | "tfhub" | "hf" | "kaggle" | undefined;
  /** The most of each source. Default: 10. */
  readonly limit?: number | undefined;
}

/** What was found: what is known without a network, and what the hubs say. */
export interface Search {
  readonly known: readonly CatalogueEntry[];
  readonly found: readonly FoundModel[];
  /** Of each hub that did not answer. */
  readonly failures: readonly { readonly source: string; readonly reason: string }[];
}

/** A search must not make anyone wait: one try, a few seconds. */
const patience = { attempts: 1, timeout: 6000 } as const;

/** Searches; hubs that do not answer are among the failures. Throws only what `signal` was aborted with. */
export async function search(
  query: SearchQuery,
  options: Pick<HubOptions, "offline" | "signal"> = {},
): Promise<Search> {
  const { words, task, architecture, dataset, source, limit = 10 } = query;
  const isHub = source === undefined || source === "hf" || source === "kaggle";
  const known = source === "kaggle" ? [] : searchCatalogue(query);
  const all = [
    ...words,
    ...(architecture === undefined ? [] : [architecture]),
    ...(dataset === undefined ? [] : [dataset]),
  ];
  const asked = { words: all.join(" "), task, limit, ...(source === "hf" || source === "kaggle" ? { source } : {}) };
  const { models, failures } = isHub
    ? await searchModels(asked, { ...patience, ...options })
    : { models: [], failures: [] };
  const handles = new Set(known.map(({ handle }) => handle));
  return {
    known,
    found: models.filter(({ handle }) => !handles.has(handle)),
    failures: failures.map(({ source: hub, error }) => ({ source: hub, reason: error.message })),
  };
}
