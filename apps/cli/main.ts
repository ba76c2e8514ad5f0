/** @file The `graft` command: arguments in, library calls, text out. Data on stdout, everything else on stderr. */
import { createRequire } from "node:module";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { ConvertOptions } from "./convert.ts";
import { exitCodeOf, explain, obeyTheTerminal } from "./errors.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import type { InspectOptions } from "./inspect.ts";
import type { PredictOptions } from "./predict.ts";
import type { PullCommandOptions } from "./pull.ts";
import type { SearchCommandOptions } from "./search.ts";
import type { TrainOptions } from "./train.ts";

// What npm wrote: a package.json without a version cannot be installed.
const { version } = createRequire(import.meta.url)("graftwork/package.json") as { readonly version: string };

const anyModel =
  "a file or folder (ONNX, Keras, SavedModel, TensorFlow.js, zip, tar), a name (MobileNetV2), or an address (hf:…, kaggle:…, https://…)";

const program = new Command("graft")
  .description("Transfer learning: fit a pre-trained model to your own examples.")
  .version(version)
  .option("-q, --quiet", "print results and errors, and nothing else")
  .configureHelp({ showGlobalOptions: true })
  .showSuggestionAfterError()
  .exitOverride();

program
  .command("train")
  .description("fit a classifier to a folder of photos: a head on the frozen base, then fine-tuning where it helps")
  .argument("<photos>", "a folder with a folder of photos for each class")
  .option(
    "--base <model>",
    "a name (MobileNetV2, pocket), a file or folder of any format, or an address; default: the best at hand",
  )
  .option("--out <folder>", "the run's folder (default: runs/<photos>)")
  .option(
    "--image-size <pixels>",
    "the side of the pictures the base is given (default: the base's own)",
    wholeNumber(16, 4096),
  )
  .option("--cut <value>", "the value or layer to take as features (default: what goes into its classifier)")
  .option("--range <name>", "the values the base was trained on (default: what it says, else measured)")
  .option("--fine-tune <depth>", "auto, none, or how many of the last stages of the base (default: auto)", depth)
  .option("--epochs <count>", "how often fine-tuning goes over the photos (default: by their number)", wholeNumber(1))
  .option(
    "--views <count>",
    "looks at each picture: 2, the whole and its middle (better), or 1 (faster)",
    wholeNumber(1, 2),
  )
  .option("--minutes <time>", "how long it may all take", positive)
  .option("--group <pattern>", "what belongs together, by a pattern on the path: stays on one side of every split")
  .option(
    "--test-fraction <share>",
    "how much is held back for the final figure (default: by the number of photos)",
    share,
  )
  .addOption(
    new Option("--class-weights <how>", "how much each class counts (default: by its photos)").choices(["balanced"]),
  )
  .option("--seed <number>", "decides splits and the order of photos; the same gives the same bytes", wholeNumber(0))
  .option("--strict", "stop at the first file that is not a whole picture, instead of skipping it")
  .option(
    "--threads <count>",
    "how many threads compute and decode (default: all); the result is the same",
    wholeNumber(1, 256),
  )
  .option("--min-accuracy <share>", "end with exit code 10 where the accuracy is below this, from 0 to 1", share)
  .option("--dry-run", "train nothing: say how long it would take here, and how much memory and disk")
  .option("--json", "print one JSON document")
  .action(async (photos: string, _: unknown, command: Command) => {
    const { train } = await import("./train.ts");
    process.exitCode = await train(photos, command.optsWithGlobals<TrainOptions>());
  });

program
  .command("resume")
  .description("go on with a run that was interrupted; the classifier is the same to the byte")
  .argument("[run]", "the run's folder (default: the last one under runs/ that did not end)")
  .option(
    "--threads <count>",
    "how many threads compute and decode (default: all); the result is the same",
    wholeNumber(1, 256),
  )
  .option("--min-accuracy <share>", "end with exit code 10 where the accuracy is below this, from 0 to 1", share)
  .option("--json", "print one JSON document")
  .action(async (run: string | undefined, _: unknown, command: Command) => {
    const { resume } = await import("./train.ts");
    process.exitCode = await resume(run, command.optsWithGlobals<TrainOptions>());
  });

program
  .command("predict")
  .description("say what photos show: a line, or an entry, for each file, in order")
  .argument("<model>", "a classifier: the model.onnx that graft train wrote")
  .argument("[files...]", "pictures, folders of pictures, or - for a picture on standard input")
  .option("--files-from <list>", "take more paths from a file, one a line or ended by zero bytes; - is standard input")
  .option("--top <count>", "say the most probable classes, this many of them", wholeNumber(1))
  .option("--json", "print a JSON array of { file, label, probability, sure, scores } or { file, error }")
  .option("--csv", "print CSV with a header")
  .option("--batch <count>", "how many pictures go through the model at once (default: 16)", wholeNumber(1))
  .option("--threads <count>", "how many threads compute and decode (default: all)", wholeNumber(1, 256))
  .addHelpText("after", "\nExit codes: 0, or 3 where something could be said of some files only.")
  .action(async (model: string, files: string[], _: unknown, command: Command) => {
    const { predict } = await import("./predict.ts");
    process.exitCode = await predict(model, files, command.optsWithGlobals<PredictOptions>());
  });

program
  .command("evaluate")
  .description("say how good a classifier is on a folder of labelled photos")
  .argument("<model>", "a classifier: the model.onnx that graft train wrote")
  .argument("<folder>", "a folder with a folder of photos for each class")
  .option("--json", "print one JSON document")
  .option("--min-accuracy <share>", "end with exit code 10 where the accuracy is below this, from 0 to 1", share)
  .addOption(
    new Option("--part <part>", "which part of a folder with train, validation and test").choices([
      "train",
      "validation",
      "test",
      "all",
    ]),
  )
  .option("--strict", "stop at the first file that is not a whole picture, instead of skipping it")
  .option("--batch <count>", "how many pictures go through the model at once (default: 16)", wholeNumber(1))
  .option("--threads <count>", "how many threads compute and decode (default: all)", wholeNumber(1, 256))
  .action(async (model: string, folder: string, _: unknown, command: Command) => {
    const { evaluate } = await import("./evaluate.ts");
    process.exitCode = await evaluate(model, folder, command.optsWithGlobals<EvaluateOptions>());
  });

program
  .command("inspect")
  .description("say what goes into a model, what comes out, how deep it can be tuned, and whether it fits photos")
  .argument("<model>", anyModel)
  .option("--data <photos>", "a folder of photos that it is to be trained on")
  .option("--output <name>", "the output to walk gradients from (default: every floating-point output)")
  .option("--image-size <pixels>", "the side of the pictures it is given (default: its own)", wholeNumber(16, 4096))
  .option("--cut <value>", "the value or layer to take as features (default: what goes into its classifier)")
  .option("--no-run", "do not run it: no cost, and no measuring of its range")
  .option("--offline", "never ask the network")
  .option("--json", "print one JSON document")
  .addHelpText("after", "\nExit codes: 0, or 4 where it does not fit the photos.")
  .action(async (model: string, _: unknown, command: Command) => {
    const { inspect } = await import("./inspect.ts");
    process.exitCode = await inspect(model, command.optsWithGlobals<InspectOptions>());
  });

program
  .command("gradients")
  .description("write a plain ONNX model with one more input, dy, and an output grad:<name> for each value named")
  .argument("<model>", "an .onnx file")
  .argument("<out>", "the .onnx file to write")
  .requiredOption("--output <name>", "the value to derive")
  .requiredOption("--wrt <names>", "the values to derive by, separated by commas; may be repeated", collectNames, [])
  .action(async (model: string, out: string, options: { output: string; wrt: string[] }) => {
    const { gradients } = await import("./gradients.ts");
    await gradients(model, out, options);
  });

program
  .command("convert")
  .description("read any model and write it as ONNX, with the inputs and outputs that it has")
  .argument("<model>", anyModel)
  .argument("<out>", "the .onnx file to write")
  .option("--offline", "never ask the network")
  .action(async (model: string, out: string, _: unknown, command: Command) => {
    const { convert } = await import("./convert.ts");
    await convert(model, out, command.optsWithGlobals<ConvertOptions>());
  });

program
  .command("search")
  .description("find pre-trained models: in the built-in catalogue and, where there is a network, on the hubs")
  .argument("[words...]", "all must be found: birds, mobilenet, speech")
  .addOption(new Option("--task <task>", "what it is for").choices(["image", "text", "audio"]))
  .option("--architecture <name>", "a part of the architecture's name: mobilenet, vit")
  .option("--dataset <name>", "a part of the name of what it was trained on: imagenet-21k")
  .addOption(new Option("--source <hub>", "where to look").choices(["keras", "tfhub", "hf", "kaggle"]))
  .option("--limit <count>", "the most of each source (default: 10)", wholeNumber(1, 100))
  .option("--offline", "never ask the network")
  .option("--json", "print one JSON document")
  .action(async (words: string[], _: unknown, command: Command) => {
    const { search } = await import("./search.ts");
    await search(words, command.optsWithGlobals<SearchCommandOptions>());
  });

program
  .command("pull")
  .description("bring a model onto this machine and verify it")
  .argument("<model>", anyModel)
  .option("--lock", "write into graft.lock what the address means (default: where there is a graft.lock)")
  .option("--no-lock", "leave graft.lock as it is")
  .option("--offline", "never ask the network")
  .option("--json", "print one JSON document")
  .action(async (model: string, _: unknown, command: Command) => {
    const { pull } = await import("./pull.ts");
    await pull(model, command.optsWithGlobals<PullCommandOptions>());
  });

program
  .command("base")
  .description("what is on this machine to start from")
  .command("list")
  .description("list the models on this machine, and what each takes")
  .option("--json", "print one JSON document")
  .action(async (_: unknown, command: Command) => {
    const { baseList } = await import("./base.ts");
    await baseList(command.optsWithGlobals<{ json?: boolean }>());
  });

program
  .command("sample")
  .description("draw a small set of pictures of three kinds to try everything with: no photos, no network")
  .argument("<folder>", "where to draw them, a folder a class")
  .option("--per-class <number>", "pictures of each kind", Number, 40)
  .option("--seed <number>", "other pictures for other numbers", Number, 0)
  .option("--json", "print one JSON document")
  .action(async (folder: string, options: { perClass: number; seed: number; json?: boolean }) => {
    const { sample } = await import("./sample.ts");
    await sample(folder, options);
  });

function collectNames(names: string, known: readonly string[]): string[] {
  return [...known, ...names.split(",").filter((name) => name !== "")];
}

/** Reads an option that is a whole number in a range. */
function wholeNumber(from: number, to: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= from && number <= to) return number;
    throw new InvalidArgumentError(`It is a whole number from ${from}${to < 1e9 ? ` to ${to}` : ""}.`);
  };
}

/** Reads `auto`, `none`, or a number of stages. */
function depth(text: string): "auto" | "none" | number {
  if (text === "auto" || text === "none") return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is auto, none, or a whole number.");
}

/** Reads an option that is a number above 0. */
function positive(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number > 0 && number < Number.POSITIVE_INFINITY) return number;
  throw new InvalidArgumentError("It is a number above 0.");
}

/** Reads an option that is a number from 0 to 1. */
function share(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number >= 0 && number <= 1) return number;
  throw new InvalidArgumentError("It is a number from 0 to 1, such as 0.95.");
}

obeyTheTerminal();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; help and version end well, everything else was a mistake in usage.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
