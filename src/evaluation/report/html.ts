/** @file HTML as values: what is put into a template is escaped unless it is HTML itself. */

/** Markup that is safe to stand in a page. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What may stand in a template; nothing comes of `undefined` and `false`. */
export type Content = Html | string | number | undefined | false | readonly Content[];

/** A template whose values are escaped, in text and in quoted attributes. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((string, index) => string + markupOf(values[index])).join(""));
}

function markupOf(content: Content): string {
  if (content instanceof Html) return content.markup;
  if (content === undefined || content === false) return "";
  if (typeof content === "object") return content.map(markupOf).join("");
  return escaped(String(content));
}

const entities: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"],
]);

/** Control characters, which HTML forbids, what turns the reading direction around, and halves of characters become �. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities.get(character) ?? character)
    .replace(/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu, "\ufffd");
}

/** A name from elsewhere: whichever way it is written, what stands around it keeps its place. */
export function named(name: string): Html {
  return html`<bdi>${name}</bdi>`;
}

/** A name in a table: cut where it is very long, and shown whole when it is pointed at. */
export function listedName(name: string): Html {
  return html`<bdi title="${name}">${shortened(name, 60)}</bdi>`;
}

/** Text cut to so many characters, as people count them. */
export function shortened(text: string, length: number): string {
  const characters = [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text.slice(0, 40 * length))];
  if (characters.length <= length) return text;
  return `${characters
    .slice(0, length - 1)
    .map(({ segment }) => segment)
    .join("")}…`;
}

/** A part of the page with a heading that links can point to. */
export function section(id: string, heading: string, ...content: readonly Content[]): Section {
  return { id, heading, body: html`<section id="${id}"><h2>${heading}</h2>${content}</section>` };
}

export interface Section {
  readonly id: string;
  readonly heading: string;
  readonly body: Html;
}

/** A chart with the words that stand for it where it is not seen. `height` and `width` in pixels at full size. */
export function chart(width: number, height: number, description: string, content: Content): Html {
  return html`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${description}">${content}</svg>`;
}

/** A table that scrolls by itself where it is too wide. The first cell of each row is its heading. */
export function table(
  caption: string,
  head: readonly Content[],
  rows: readonly (readonly Content[])[],
  { className = "", isCaptionShown = false }: { readonly className?: string; readonly isCaptionShown?: boolean } = {},
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table class="${className}"><caption${isCaptionShown ? "" : new Html(' class="unseen"')}>${caption}</caption><thead><tr>${head.map(
    (cell) => html`<th scope="col">${cell}</th>`,
  )}</tr></thead><tbody>${rows.map(
    ([first, ...rest]) => html`<tr><th scope="row">${first}</th>${rest.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

/** Terms and what they mean, as pairs; pairs without a meaning are left out. */
export function facts(pairs: readonly (readonly [string, Content])[]): Html {
  return html`<dl class="facts">${pairs
    .filter(([, value]) => value !== undefined)
    .map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What is there for those who want it. */
export function folded(summary: string, ...content: readonly Content[]): Html {
  return html`<details><summary>${summary}</summary>${content}</details>`;
}
