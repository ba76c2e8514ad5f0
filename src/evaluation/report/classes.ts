/** @file The classes: how much of each is found, and how much of what is said of each is right. */
import type { ClassFigures, Evaluation } from "../evaluate.ts";
import { count, percent, percentOrDash, percentRange } from "../words.ts";
import { type Content, facts, folded, html, listedName, type Section, section, table } from "./html.ts";

/** Up to how many classes stand in one table; of more, the worst are shown first. */
const [tableLimit, shownWorst] = [20, 12];

export function classesSection(evaluation: Evaluation): Section {
  const { perClass, macro, balancedAccuracy } = evaluation;
  const isLong = perClass.length > tableLimit;
  const worst = [...perClass].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2)).slice(0, shownWorst);
  const missing = perClass.filter(({ support }) => support === 0).length;
  return section(
    "classes",
    "Class by class",
    html`<p>Found: the part of a class's photos that it recognises (recall), with its 95 % interval as a line. Right: of the photos it says are of the class, the part that is (precision). F1 weighs both.${missing > 0 && ` ${missing === 1 ? "One class has" : `${count(missing)} classes have`} no photo here: nothing can be said of ${missing === 1 ? "it" : "them"}.`}</p>`,
    classTable(
      isLong ? `The ${shownWorst} classes with the lowest F1` : "Figures by class",
      isLong ? worst : perClass,
      isLong,
    ),
    isLong && folded(`All ${count(perClass.length)} classes`, classTable("Figures of all classes", perClass, false)),
    facts([
      ["Balanced accuracy", percent(balancedAccuracy)],
      ["Mean precision", percent(macro.precision)],
      ["Mean recall", percent(macro.recall)],
      ["Mean F1", percent(macro.f1)],
    ]),
  );
}

function classTable(caption: string, classes: readonly ClassFigures[], isCaptionShown: boolean): Content {
  const rows = classes.map((each) => [
    listedName(each.name),
    count(each.support),
    html`<span class="with-bar">${bar(each)}<span>${percentOrDash(each.recall)}</span></span>`,
    percentOrDash(each.precision),
    percentOrDash(each.f1),
  ]);
  return table(caption, ["class", "photos", "found", "right", "F1"], rows, {
    className: "numbers classes",
    isCaptionShown,
  });
}

function bar({ recall, recallInterval, support }: ClassFigures): Content {
  if (recall === null || recallInterval === null) return undefined;
  const [low, high] = recallInterval;
  const place = (share: number) => (2 + share * 136).toFixed(1);
  const words = `${percent(recall)} of ${count(support)} found, 95 % interval ${percentRange(recallInterval)}`;
  return html`<svg class="recall" viewBox="0 0 140 16" width="140" height="16" aria-hidden="true"><title>${words}</title><rect class="track" x="2" y="4" width="136" height="8"/><rect class="fill right" x="2" y="4" width="${(recall * 136).toFixed(1)}" height="8"/><path class="whisker" d="M${place(low)} 8H${place(high)}M${place(low)} 4V12M${place(high)} 4V12"/></svg>`;
}
