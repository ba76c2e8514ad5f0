/** @file How to repeat a run, and how to use what came out: on the command line, in Node and in Python. */
import type { ReportArtifact, ReportRepeat } from "../report-data.ts";
import { bytes } from "../words.ts";
import { type Content, facts, html, type Section, section } from "./html.ts";

export function useSection(artifact: ReportArtifact | undefined): Section | undefined {
  if (artifact === undefined) return undefined;
  const { file } = artifact;
  const path = shellWord(file);
  const isPlain = (artifact.pixels.centralFraction ?? 1) === 1;
  return section(
    "use",
    "How to use it",
    facts([
      ["File", html`<code>${file}</code>${artifact.bytes !== undefined && `, ${bytes(artifact.bytes)}`}`],
      ["Digest", artifact.digest === undefined ? undefined : html`<code class="digest">${artifact.digest}</code>`],
    ]),
    snippet("On the command line", `graft predict ${path} new-photos/\ngraft evaluate ${path} more-labelled-photos/`),
    snippet(
      "In Node",
      `import { loadModel } from "graftwork/node";\n\nconst model = await loadModel(${JSON.stringify(file)});\nfor (const answer of await model.predict("new-photos")) console.log(answer);\nawait model.close();`,
    ),
    isPlain && snippet("In Python, with onnxruntime, numpy and Pillow", pythonSnippet(artifact)),
  );
}

export function repeatSection(repeat: ReportRepeat | undefined): Section | undefined {
  if (repeat === undefined) return undefined;
  return section(
    "repeat",
    "How to repeat it",
    html`<p>The same photos, the same base, the same seed and the same versions give the same file, byte for byte.</p>`,
    html`<pre><code>${repeat.command}</code></pre>`,
    facts([["Seed", repeat.seed], ...repeat.versions.map(({ name, version }) => [name, version] as const)]),
  );
}

function snippet(heading: string, code: string): Content {
  return html`<h3>${heading}</h3><pre><code>${code}</code></pre>`;
}

/** A file's name as one word of a shell. */
function shellWord(text: string): string {
  return /^[\w./][\w./-]*$/.test(text)
    ? text
    : `'${(text.startsWith("-") ? `./${text}` : text).replaceAll("'", `'\\''`)}'`;
}

/** Pictures as the artifact takes them. Pillow's resize agrees with `toPixels` to 1 of 255 under each aspect policy. */
function pythonSnippet({ file, pixels: { width, height, method, aspect } }: ReportArtifact): string {
  const fit = {
    stretch: [],
    crop: [
      `w = min(picture.width, picture.height * ${width} // ${height})`,
      `h = min(picture.height, picture.width * ${height} // ${width})`,
      "left, top = (picture.width - w) // 2, (picture.height - h) // 2",
      "picture = picture.crop((left, top, left + w, top + h))",
    ],
    pad: [
      `left = max(0, picture.height * ${width} // ${height} - picture.width) // 2`,
      `top = max(0, picture.width * ${height} // ${width} - picture.height) // 2`,
      "picture = ImageOps.expand(picture, (left, top, left, top))",
    ],
  }[aspect];
  const resize =
    method === "antialias"
      ? `picture = picture.resize((${width}, ${height}), Image.Resampling.BILINEAR)`
      : `picture = picture.transform((${width}, ${height}), Image.Transform.AFFINE,\n    (picture.width / ${width}, 0, 0, 0, picture.height / ${height}, 0), Image.Resampling.BILINEAR)`;
  return [
    "import json",
    "import numpy as np",
    "import onnxruntime",
    "from PIL import Image, ImageOps",
    "",
    `session = onnxruntime.InferenceSession(${pythonText(file)})`,
    'classes = json.loads(session.get_modelmeta().custom_metadata_map["graftwork"])["classes"]',
    'picture = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")',
    ...fit,
    resize,
    '(probabilities,) = session.run(["probabilities"], {"image": np.asarray(picture, np.uint8)[None]})',
    "print(classes[probabilities[0].argmax()], probabilities[0].max())",
  ].join("\n");
}

/** JSON's text is Python's, but for pairs of surrogates, which are left as they are. */
function pythonText(text: string): string {
  return JSON.stringify(text);
}
