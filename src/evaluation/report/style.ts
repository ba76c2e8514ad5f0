/** @file The report's style: calm, for light and dark, wide and narrow, screen and paper; blue and orange, which all eyes tell apart. */

export const style: string = `
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --ink: #1d2125; --quiet: #5a636c; --line: #dcdfdb; --faint: #f0f1ee;
  --right: 15 98 168; --wrong: 176 76 4; --on: #ffffff; --wrong-text: #a34705; --link: #0f5c9e; --alarm: #a3001b;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e8eaec; --quiet: #a2abb4; --line: #353b41; --faint: #22272c;
    --right: 96 172 236; --wrong: 240 158 84; --on: #0f1214; --wrong-text: #f2a865; --link: #7dbdf2; --alarm: #ff8795;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 66rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
h1 { font-size: clamp(1.7rem, 5vw, 2.6rem); font-weight: 650; letter-spacing: -0.015em; margin: 0.2em 0 0.1em; }
h2 { font-size: 1.35rem; font-weight: 650; letter-spacing: -0.01em; margin: 0 0 0.6em; }
h3 { font-size: 1rem; font-weight: 650; margin: 1.8em 0 0.5em; }
p { margin: 0 0 0.9em; max-width: 44rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
bdi { unicode-bidi: isolate; }
.kicker { color: var(--quiet); font-size: 0.95rem; margin: 0; }
.quiet, .note { color: var(--quiet); }
.quiet { font-size: 0.92rem; }
.note { display: block; font-weight: 400; font-size: 0.88rem; max-width: 26rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.figure { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.9rem; margin: 0 0 0.2rem; color: var(--quiet); font-variant-numeric: tabular-nums; }
.figure strong { font-size: clamp(2.6rem, 9vw, 4rem); font-weight: 300; letter-spacing: -0.03em; color: var(--ink); line-height: 1.15; }
.interval { display: block; height: 12px; max-width: 44rem; margin: 0.2rem 0 0.6rem; }
.key { display: flex; flex-wrap: wrap; gap: 0.9rem 2.4rem; margin: 1.4rem 0; }
.key div { display: flex; flex-direction: column; }
.key dd { margin: 0; font-size: 1.35rem; font-weight: 550; font-variant-numeric: tabular-nums; }
.key dt { color: var(--quiet); font-size: 0.88rem; }
.remarks { margin: 1rem 0; padding: 0.7rem 1rem 0.7rem 2rem; max-width: 48rem; background: var(--faint); border-radius: 6px; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; margin: 1.6rem 0 0; padding: 0; font-size: 0.92rem; }
section { border-top: 1px solid var(--line); margin-top: 2.6rem; padding-top: 1.7rem; }
figure { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.4rem; }
.charts figcaption { font-weight: 600; font-size: 0.95rem; }
.beside { display: grid; grid-template-columns: minmax(0, 29rem) minmax(0, 1fr); gap: 1.2rem 2.4rem; align-items: start; }
svg { max-width: 100%; height: auto; display: block; }
svg { font-size: 12px; }
svg text { fill: var(--ink); font-family: inherit; font-variant-numeric: tabular-nums; unicode-bidi: isolate; }
svg .quiet { fill: var(--quiet); }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .on { fill: var(--on); }
.grid { stroke: var(--line); fill: none; stroke-width: 1; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.curve.train { stroke: var(--quiet); stroke-dasharray: 5 4; }
.curve.validation { stroke: rgb(var(--right)); }
.mark.train { fill: var(--paper); stroke: var(--quiet); stroke-width: 1.5; }
.mark.validation { fill: rgb(var(--right)); stroke: var(--paper); stroke-width: 1; }
.mark.before { fill: var(--paper); stroke: rgb(var(--wrong)); stroke-width: 1.6; }
.kept { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.level { stroke: var(--quiet); stroke-width: 1.3; stroke-dasharray: 1.5 4; stroke-linecap: round; }
.stage { stroke: var(--quiet); stroke-width: 1; }
.whisker { stroke: var(--ink); stroke-width: 1.4; fill: none; opacity: 0.75; }
.bar { fill: rgb(var(--right) / 0.45); }
.track { fill: var(--line); }
.fill.right { fill: rgb(var(--right)); }
.fill.wrong { fill: rgb(var(--wrong)); }
.band { fill: var(--ink); opacity: 0.45; }
.sample { display: inline-block; vertical-align: -0.2em; margin-right: 0.5em; overflow: visible; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.5rem; padding: 0; margin: 0.8rem 0; font-size: 0.9rem; color: var(--quiet); }
.legend.column { flex-direction: column; margin-top: 0; }
.swatch { display: inline-block; width: 0.95em; height: 0.95em; border-radius: 2px; vertical-align: -0.1em; margin-right: 0.45em; }
.swatch.right { background: rgb(var(--right)); }
.swatch.wrong { background: rgb(var(--wrong)); }
.scroll { overflow-x: auto; margin: 0.8rem 0; }
.scroll.drawing { max-height: 44rem; overflow: auto; }
.scroll.drawing svg { max-width: none; }
table { border-collapse: collapse; font-size: 0.94rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); font-size: 0.9rem; padding-bottom: 0.4rem; }
th, td { padding: 0.34rem 0.9rem 0.34rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; font-size: 0.88rem; vertical-align: bottom; }
tbody th { font-weight: 500; max-width: 26rem; min-width: 8rem; }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; padding-left: 0.6rem; white-space: nowrap; }
.pairs td:nth-child(2), .pairs thead th:nth-child(2) { text-align: left; white-space: normal; min-width: 8rem; }
.totals tbody tr:last-child > * { font-weight: 600; border-top: 1px solid var(--quiet); }
.files td { color: var(--quiet); }
.with-bar { vertical-align: top; display: inline-flex; gap: 0.7rem; align-items: center; justify-content: flex-end; }
.with-bar span { min-width: 4.2em; }
.matrix { border-collapse: separate; border-spacing: 2px; }
.matrix th, .matrix td { border: 0; padding: 0.3rem 0.5rem; }
.matrix tbody th { vertical-align: middle; font-weight: 500; text-align: right; max-width: 14rem; position: sticky; left: 0; background: var(--paper); }
.matrix thead th { text-align: center; max-width: 8rem; }
.matrix .turned { vertical-align: bottom; padding-left: 0; padding-right: 0; }
.matrix .turned span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 13rem; display: inline-block; }
.matrix .corner { color: var(--quiet); font-size: 0.8rem; vertical-align: bottom; white-space: nowrap; }
.cell { min-width: 3.2rem; height: 2.5rem; text-align: center; vertical-align: middle; border-radius: 3px; background: var(--faint); }
.cell .none { color: var(--quiet); }
.gallery { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1.3rem 1rem; padding: 0; margin: 1rem 0; }
.gallery img, .no-picture { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--faint); border-radius: 5px; display: block; }
.no-picture { display: grid; place-items: center; color: var(--quiet); font-size: 0.85rem; }
.gallery figcaption { font-size: 0.86rem; line-height: 1.4; margin-top: 0.4rem; }
.gallery .number { color: var(--quiet); font-variant-numeric: tabular-nums; white-space: nowrap; }
.gallery .file { color: var(--quiet); font-size: 0.8rem; overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; line-height: 1.3; margin-top: 0.15rem; }
strong.wrong { color: var(--wrong-text); }
.facts { margin: 0.8rem 0; display: grid; gap: 0.35rem 0; }
.facts div { display: grid; grid-template-columns: minmax(8rem, 15rem) minmax(0, 1fr); gap: 0 1rem; }
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.beside .facts div { grid-template-columns: minmax(0, 1fr); margin-bottom: 0.4rem; }
.beside .facts dt { font-size: 0.88rem; }
.kept-mark { font-size: 0.78rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1em; padding: 0.02em 0.6em; color: rgb(var(--right)); white-space: nowrap; }
.mark-same { color: rgb(var(--right)); font-weight: 700; }
.alarm { color: var(--alarm); }
code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.88rem; }
pre { background: var(--faint); border-radius: 6px; padding: 0.8rem 1rem; overflow-x: auto; line-height: 1.5; overflow-wrap: normal; }
.digest { color: var(--quiet); font-size: 0.8rem; }
details { margin: 0.9rem 0; }
summary { cursor: pointer; color: var(--link); font-size: 0.94rem; }
@media (max-width: 46rem) {
  body { padding: 1.4rem 1rem 3rem; }
  .beside { grid-template-columns: minmax(0, 1fr); }
  .facts div { grid-template-columns: minmax(0, 1fr); margin-bottom: 0.3rem; }
  .facts dt { font-size: 0.88rem; }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
  .recall { display: none; }
  th, td { padding-right: 0.5rem; }
  .numbers td, .numbers thead th:not(:first-child) { padding-left: 0.3rem; }
  table { font-size: 0.9rem; }
}
@media print {
  :root { color-scheme: light; --paper: #ffffff; --faint: #f3f3f1; }
  body { max-width: none; padding: 0; font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  nav { display: none; }
  figure, tr, .gallery li, pre { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll, .scroll.drawing { overflow: visible; max-height: none; }
  .scroll.drawing svg { max-width: 100%; }
}
${levels([0.16, 0.25, 0.33, 0.42, 0.5, 0.58, 0.66, 0.92, 0.96, 1], 8)}
@media screen and (prefers-color-scheme: dark) {
${levels([0.15, 0.22, 0.3, 0.38, 0.45, 0.52, 0.75, 0.83, 0.91, 1], 7)}
}
`;

/**
 * The shades of a confusion matrix's cells, by tenths of their row. From `inverted` on a cell is so strong that its number
 * needs the other ink: with these shades every number has a contrast of 4.5 or more.
 */
function levels(shades: readonly number[], inverted: number): string {
  return shades
    .map((shade, index) => {
      const level = index + 1;
      const ink = level >= inverted ? "var(--on)" : "var(--ink)";
      return `.cell.right.level-${level} { background: rgb(var(--right) / ${shade}); color: ${ink}; }
.cell.wrong.level-${level} { background: rgb(var(--wrong) / ${shade}); color: ${ink}; }
.level-${level} .fill { fill-opacity: ${shade}; }
.level-${level} text { fill: ${ink}; }`;
    })
    .join("\n");
}
