/** @file Pictures with words: the worst mistakes, and the labels that may be wrong. */
import type { Mistake } from "../evaluate.ts";
import type { ReportDoubt, ReportMistake } from "../report-data.ts";
import { counted, percent } from "../words.ts";
import { type Content, html, named, type Section, section } from "./html.ts";

export function mistakesSection(
  mistakes: readonly (ReportMistake | Mistake)[] | undefined,
  wrong: number | undefined,
): Section | undefined {
  if (mistakes === undefined || wrong === undefined) return undefined;
  if (mistakes.length === 0) {
    return wrong > 0
      ? undefined
      : section("mistakes", "Worst mistakes", html`<p>There are none: it is right on every photo here.</p>`);
  }
  const all =
    wrong > mistakes.length
      ? `The ${counted(mistakes.length, "mistake")} it is surest of, out of ${counted(wrong, "mistake")}`
      : `All ${counted(mistakes.length, "mistake")}, the surest first`;
  return section(
    "mistakes",
    "Worst mistakes",
    html`<p>${mistakes.length === 1 ? "Its one mistake" : all}. Look at them: some may be labelled wrongly, others show what it has not learnt.</p>`,
    gallery(
      mistakes.map((each) => ({
        picture: "thumbnail" in each ? each.thumbnail : undefined,
        name: each.name,
        words: html`says <strong class="wrong">${named(each.predicted)}</strong> <span class="number">${percent(each.probability)}</span><br>labelled <strong>${named(each.label)}</strong>${each.labelProbability !== undefined && html` <span class="number">${percent(each.labelProbability)}</span>`}`,
      })),
    ),
  );
}

export function doubtfulSection(
  doubtful: readonly ReportDoubt[] | undefined,
  total: number | undefined,
): Section | undefined {
  if (doubtful === undefined) return undefined;
  if (doubtful.length === 0) {
    return section("doubtful", "Doubtful labels", html`<p>No label is in doubt.</p>`);
  }
  const most = Math.max(total ?? 0, doubtful.length);
  const shown =
    most > doubtful.length ? `; the ${doubtful.length} most doubtful are shown` : ", the most doubtful first";
  return section(
    "doubtful",
    "Doubtful labels",
    html`<p>${counted(most, "photo")} may carry the wrong label${shown}. Each was judged by a classifier that had not seen it (confident learning). If a label is wrong, move the photo to its class and train again.</p>`,
    gallery(
      doubtful.map((each) => ({
        picture: each.thumbnail,
        name: each.name,
        words: html`labelled <strong>${named(each.label)}</strong> <span class="number">${percent(each.labelProbability)}</span><br>looks like <strong class="wrong">${named(each.suggested)}</strong> <span class="number">${percent(each.probability)}</span>`,
      })),
    ),
  );
}

interface Picture {
  readonly picture: string | Uint8Array | undefined;
  readonly name: string;
  readonly words: Content;
}

function gallery(pictures: readonly Picture[]): Content {
  return html`<ul class="gallery">${pictures.map(({ picture, name, words }) => {
    const address = picture === undefined ? undefined : dataAddress(picture);
    return html`<li><figure>${address === undefined ? html`<div class="no-picture" aria-hidden="true">no picture</div>` : html`<img src="${address}" alt="${name}" loading="lazy">`}<figcaption>${words}<span class="file" title="${name}">${named(name)}</span></figcaption></figure></li>`;
  })}</ul>`;
}

/** A `data:` address of a JPEG, PNG or WebP; `undefined` for anything else. */
function dataAddress(picture: string | Uint8Array): string | undefined {
  const base64 = typeof picture === "string" ? picture : base64Of(picture);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const kind = [
    ["/9j/", "jpeg"],
    ["iVBORw0KGgo", "png"],
    ["UklGR", "webp"],
  ].find(([start]) => base64.startsWith(start ?? ""))?.[1];
  return kind === undefined ? undefined : `data:image/${kind};base64,${base64}`;
}

function base64Of(content: Uint8Array): string {
  let text = "";
  for (const byte of content) text += String.fromCharCode(byte);
  return btoa(text);
}
