/** @file Schedules: the learning rate as a function of the number of steps taken. */
import { GraftError } from "../tensor/index.ts";

/** A learning rate that changes from step to step. */
export interface Schedule {
  /** What it is, with its settings: two schedules of one description give the same rates. */
  readonly description: string;
  /** The rate of the step after `step` steps. */
  rateAt(step: number): number;
}

/** The same rate at every step. */
export function constantRate(learningRate: number): Schedule {
  check("constantRate", { learningRate });
  return schedule("constantRate", { learningRate }, () => learningRate);
}

export interface CosineDecayOptions {
  /** The rate at first; with a warm-up, the rate it begins with. */
  readonly initialLearningRate: number;
  /** How many steps the decay takes, after the warm-up. */
  readonly decaySteps: number;
  /** The rate at the end, as a part of the highest. Default: 0. */
  readonly alpha?: number;
  /** The rate a warm-up reaches, in a straight line. Default: no warm-up. */
  readonly warmupTarget?: number;
  /** How many steps the warm-up takes. Default: 0. */
  readonly warmupSteps?: number;
}

/**
 * Half a cosine from the highest rate r to α·r (Loshchilov and Hutter, arXiv:1608.03983; Keras's `CosineDecay`):
 * r·((1 − α)·(1 + cos πt)/2 + α), where t goes from 0 to 1 in `decaySteps` steps.
 *
 * @throws GraftError `usage`, as every schedule, for options out of range
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  const { initialLearningRate, decaySteps, alpha = 0, warmupTarget, warmupSteps = 0 } = options;
  check("cosineDecay", { initialLearningRate, decaySteps, alpha, warmupTarget, warmupSteps }, ["decaySteps"]);
  const decay = (step: number, from: number) =>
    from * ((1 - alpha) * 0.5 * (1 + Math.cos((Math.PI * Math.min(step, decaySteps)) / decaySteps)) + alpha);
  return schedule("cosineDecay", options, (step) => {
    if (warmupTarget === undefined) return decay(step, initialLearningRate);
    if (step >= warmupSteps) return decay(step - warmupSteps, warmupTarget);
    return initialLearningRate + ((warmupTarget - initialLearningRate) * step) / warmupSteps;
  });
}

/** Another schedule after `steps` steps in a straight line from `from` to its first rate. */
export function warmUp(
  then: Schedule,
  { steps, from = 0 }: { readonly steps: number; readonly from?: number },
): Schedule {
  check("warmUp", { steps, from }, ["steps"]);
  const settings = { after: then.description, steps, from };
  return schedule("warmUp", settings, (step) =>
    step < steps ? from + ((then.rateAt(0) - from) * step) / steps : then.rateAt(step - steps),
  );
}

export interface OneCycleOptions {
  /** The highest rate. */
  readonly maxLearningRate: number;
  /** How many steps the whole cycle takes. */
  readonly totalSteps: number;
  /** The part of the cycle in which the rate rises. Default: 0.3. */
  readonly warmupFraction?: number;
  /** The highest rate over the first. Default: 25. */
  readonly divFactor?: number;
  /** The first rate over the last. Default: 10,000. */
  readonly finalDivFactor?: number;
}

/**
 * Up and down in one cycle, along half cosines (Smith and Topin, arXiv:1708.07120; PyTorch's `OneCycleLR`): from
 * max/divFactor to max, then to max/divFactor/finalDivFactor, where it stays.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { maxLearningRate, totalSteps, warmupFraction = 0.3, divFactor = 25, finalDivFactor = 1e4 } = options;
  check("oneCycle", { maxLearningRate, totalSteps, warmupFraction, divFactor, finalDivFactor }, [
    "totalSteps",
    "divFactor",
    "finalDivFactor",
  ]);
  if (warmupFraction > 1) throw outOfRange("oneCycle", "warmupFraction", "a number from 0 to 1", warmupFraction);
  const first = maxLearningRate / divFactor;
  const last = first / finalDivFactor;
  const top = warmupFraction * totalSteps - 1;
  const between = (from: number, to: number, part: number) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
  return schedule("oneCycle", options, (step) => {
    const at = Math.min(step, totalSteps - 1);
    if (at <= top && top > 0) return between(first, maxLearningRate, at / top);
    return between(maxLearningRate, last, (at - top) / (totalSteps - 1 - top));
  });
}

export interface ExponentialDecayOptions {
  readonly initialLearningRate: number;
  readonly decaySteps: number;
  readonly decayRate: number;
  /** Whether the rate falls only at every `decaySteps` steps. Default: false. */
  readonly staircase?: boolean;
}

/** r·decayRate^(step/decaySteps), in stairs where asked for (Keras's `ExponentialDecay`). */
export function exponentialDecay(options: ExponentialDecayOptions): Schedule {
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  check("exponentialDecay", { initialLearningRate, decaySteps, decayRate }, ["decaySteps"]);
  return schedule("exponentialDecay", options, (step) => {
    const periods = step / decaySteps;
    return initialLearningRate * decayRate ** (staircase ? Math.floor(periods) : periods);
  });
}

/**
 * `values[i]` up to and with step `boundaries[i]`, and the last value after the last boundary (Keras's
 * `PiecewiseConstantDecay`): one value more than boundaries, which rise.
 */
export function piecewiseConstantDecay(options: {
  readonly boundaries: readonly number[];
  readonly values: readonly number[];
}): Schedule {
  const { boundaries, values } = options;
  const rises = boundaries.every((boundary, index) => index === 0 || boundary > (boundaries[index - 1] ?? 0));
  if (values.length !== boundaries.length + 1 || !rises) {
    throw outOfRange("piecewiseConstantDecay", "values", "one more than boundaries, which rise", values.length);
  }
  for (const value of values) check("piecewiseConstantDecay", { value });
  return schedule("piecewiseConstantDecay", options, (step) => {
    const index = boundaries.findIndex((boundary) => step <= boundary);
    return values[index < 0 ? values.length - 1 : index] ?? 0;
  });
}

/** The schedule that a number or a schedule stands for. */
export function scheduleOf(learningRate: number | Schedule): Schedule {
  return typeof learningRate === "number" ? constantRate(learningRate) : learningRate;
}

function schedule(name: string, settings: object, rateAt: (step: number) => number): Schedule {
  return { description: `${name} ${JSON.stringify(settings)}`, rateAt };
}

/** Every number given must be finite and from 0 on; those named in `above` must be above 0. */
function check(
  name: string,
  numbers: Readonly<Record<string, number | undefined>>,
  above: readonly string[] = [],
): void {
  for (const [key, value] of Object.entries(numbers)) {
    if (value === undefined || (Number.isFinite(value) && (above.includes(key) ? value > 0 : value >= 0))) continue;
    throw outOfRange(name, key, above.includes(key) ? "a number above 0" : "a number from 0 on", value);
  }
}

function outOfRange(name: string, key: string, expected: string, actual: unknown): GraftError {
  return new GraftError("usage", "a schedule's option lies outside its range", {
    path: [name, key],
    expected,
    actual: String(actual),
  });
}
