import { expect, it } from "vitest";
import { evaluateClassifier } from "./evaluate.ts";
import { renderEvaluation } from "./text.ts";

it("says how good a classifier is, for a terminal", () => {
  const evaluation = evaluateClassifier({
    probabilities: Float64Array.from([0.9, 0.1, 0.8, 0.2, 0.4, 0.6, 0.3, 0.7, 0.45, 0.55]),
    labels: [0, 0, 0, 1, 1],
    classNames: ["cats", "dogs 🐶"],
    threshold: 0.6,
    temperature: 1.5,
  });
  expect(renderEvaluation(evaluation)).toMatchInlineSnapshot(`
    "Right on 4 of 5 photos: 80.0 % (95 % interval 37.6–96.4 %)
    Balanced accuracy 83.3 % · log loss 0.492 · calibration error 18.7 % (15.0 % before temperature 1.500)
    Under a probability of 0.6 it says "not sure": it answers 60.0 % of the photos, of which 100.0 % are right

    class    photos  precision   recall      F1  recall, 95 %
    cats          3    100.0 %   66.7 %  80.0 %   20.8–93.9 %
    dogs 🐶       2     66.7 %  100.0 %  80.0 %  34.2–100.0 %

    Mixed up (true → said):
      1 × cats → dogs 🐶
    "
  `);
});

it("shows the worst classes where they are many, and what is mixed up most", () => {
  const classes = 60;
  const labels = Array.from({ length: classes * 4 }, (_, example) => example % classes);
  const logits = new Float32Array(labels.length * classes);
  for (const [example, label] of labels.entries()) {
    const said = label < 8 && example >= classes ? 59 - label : label;
    logits[example * classes + said] = 5;
  }
  const text = renderEvaluation(
    evaluateClassifier({ logits, labels, classNames: labels.slice(0, classes).map((label) => `kind ${label}`) }),
  );
  expect(text).toContain("class (the worst 20 of 60)");
  expect(text).toContain("3 × kind 0 → kind 59");
  expect(text).toContain("and 3 other pairs");
  expect(text.split("\n").length).toBeLessThan(36);
});

it("lets no name steer the terminal, and cuts long ones", () => {
  const text = renderEvaluation(
    evaluateClassifier({
      logits: Float32Array.from([1, 0, 0, 1]),
      labels: [1, 1],
      classNames: ["\u001b[31mred\nline\u202e", "a name that is much longer than any column can be"],
    }),
  );
  expect(text).toContain("?[31mred?line?");
  expect(text).toContain("a name that is much longer …");
  expect(text).not.toContain("\u001b");
});
