/** @file `graft search`: pre-trained models by words, from the built-in catalogue and from the hubs. */
import { type Search, type SearchQuery, search as searchFor } from "graftwork/node";
import { oneLine, print } from "./output.ts";
import { progressOn } from "./progress.ts";
import { table } from "./table.ts";

export interface SearchCommandOptions extends Omit<SearchQuery, "words"> {
  readonly offline?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function search(words: readonly string[], options: SearchCommandOptions): Promise<void> {
  const { offline, json, quiet, ...query } = options;
  const progress = progressOn({ ...(quiet !== undefined && { quiet }) });
  const found = await searchFor({ ...query, words }, { ...(offline !== undefined && { offline }) });
  for (const { source, reason } of found.failures) progress.note(`${source} was not asked: ${oneLine(reason)}`);
  progress.end();
  if (json) {
    const { known, found: models, failures } = found;
    const document = {
      schema: "graftwork/search/1",
      query: { words, ...query },
      models: [...known.map(inFull), ...models],
      failures,
    };
    await print(`${JSON.stringify(document, undefined, 2)}\n`);
    return;
  }
  const text = asText(found, query.limit ?? 10);
  await print(text === "" ? "" : `${text}\n`);
  if (text === "")
    progress.problem("nothing was found: use fewer words, or the name of an architecture, such as mobilenet");
}

/** What is not known is null. */
function inFull(entry: Search["known"][number]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, value ?? null]));
}

function asText({ known, found }: Search, limit: number): string {
  const rows = known
    .slice(0, limit)
    .map(({ handle, task, imageSize, parameters, accuracy, dataset, license }) => [
      handle,
      task,
      imageSize === undefined ? "" : `${imageSize} px`,
      parameters === undefined ? "" : `${(parameters / 1e6).toFixed(1)} M`,
      accuracy === undefined ? dataset : `${(100 * accuracy).toFixed(1)} % top-1, ${dataset}`,
      license ?? "",
    ]);
  const others = found.map(({ handle, task, downloads, formats, license }) => [
    oneLine(handle),
    oneLine(task ?? ""),
    "",
    "",
    [downloads === undefined ? "" : `${downloads.toLocaleString("en-US")} downloads`, formats.join(" ")]
      .filter(Boolean)
      .join(", "),
    oneLine(license ?? ""),
  ]);
  const more = known.length - rows.length;
  return [table([...rows, ...others]), more > 0 ? `and ${more} more that are known; --limit shows them` : ""]
    .filter(Boolean)
    .join("\n");
}
