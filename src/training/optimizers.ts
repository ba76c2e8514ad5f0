/** @file Optimizers with Keras's definitions: state goes in and comes back. */
import type { Builder, Value } from "../graph/index.ts";
import { GraftError, type NumericTensor, tensorOf } from "../tensor/index.ts";

/** One update of one parameter, as an optimizer sees it. */
export interface UpdateInputs {
  readonly parameter: Value;
  /** Of the parameter's shape and type. */
  readonly gradient: Value;
  /** A scalar of the parameter's type. */
  readonly learningRate: Value;
  /** This optimizer's slots for the parameter, in the order of `slots`, each of its shape. */
  readonly slots: readonly Value[];
  /** The number of this step, counted from 1, a scalar of the parameter's type. */
  readonly step: Value;
}

export interface UpdateOutputs {
  readonly parameter: Value;
  /** The slots after the step, in the same order. */
  readonly slots: readonly Value[];
}

export interface Optimizer {
  readonly name: string;
  /** The names of what it remembers for each parameter, all zeros at first. */
  readonly slots: readonly string[];
  /** Whether it asks for the number of the step. */
  readonly countsSteps: boolean;
  update(build: Builder, inputs: UpdateInputs): UpdateOutputs;
}

/**
 * Stochastic gradient descent. With momentum m: v ← m·v − η·g; w ← w + v, or w + m·v − η·g with Nesterov's look-ahead
 * (Sutskever et al. 2013); without: w ← w − η·g.
 */
export function sgd(options: { readonly momentum?: number; readonly nesterov?: boolean } = {}): Optimizer {
  const { momentum = 0, nesterov = false } = options;
  checkRate("momentum", momentum);
  return {
    name: "sgd",
    slots: momentum > 0 ? ["momentum"] : [],
    countsSteps: false,
    update(b, { parameter, gradient, learningRate, slots: [velocity] }) {
      const descent = b.mul(gradient, learningRate);
      if (velocity === undefined) return { parameter: b.sub(parameter, descent), slots: [] };
      const next = b.sub(b.scale(velocity, momentum), descent);
      const move = nesterov ? b.sub(b.scale(next, momentum), descent) : next;
      return { parameter: b.add(parameter, move), slots: [next] };
    },
  };
}

export interface AdamOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** λ of decoupled weight decay: w ← w − η·λ·w before the update (Loshchilov and Hutter, arXiv:1711.05101). */
  readonly weightDecay?: number;
}

/**
 * Adam (Kingma and Ba, arXiv:1412.6980, with the efficient order of its section 2, as Keras has it):
 * m ← m + (1 − β₁)(g − m), v ← v + (1 − β₂)(g² − v), w ← w − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε).
 */
export function adam(options: AdamOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0 } = options;
  checkRate("beta1", beta1);
  checkRate("beta2", beta2);
  return {
    name: weightDecay > 0 ? "adamW" : "adam",
    slots: ["momentum", "velocity"],
    countsSteps: true,
    update(b, { parameter, gradient, learningRate, slots, step }) {
      const [momentum = parameter, velocity = parameter] = slots;
      const decayed =
        weightDecay > 0 ? b.sub(parameter, b.mul(b.scale(parameter, weightDecay), learningRate)) : parameter;
      const m = b.add(momentum, b.scale(b.sub(gradient, momentum), 1 - beta1));
      const v = b.add(velocity, b.scale(b.sub(b.square(gradient), velocity), 1 - beta2));
      const rate = b.div(b.mul(learningRate, b.sqrt(remaining(b, beta2, step))), remaining(b, beta1, step));
      const move = b.div(b.mul(m, rate), b.shift(b.sqrt(v), epsilon));
      return { parameter: b.sub(decayed, move), slots: [m, v] };
    },
  };
}

/** Adam with decoupled weight decay, 0.004 by default as in Keras. */
export function adamW(options: AdamOptions = {}): Optimizer {
  return adam({ weightDecay: 0.004, ...options });
}

export interface RmspropOptions {
  readonly rho?: number;
  readonly momentum?: number;
  readonly epsilon?: number;
  /** Divides by an estimate of the variance instead of the second moment. */
  readonly centered?: boolean;
}

/**
 * RMSprop (Hinton's lecture 6e): v ← ρ·v + (1 − ρ)·g², u = η·g/√(v + ε), with the mean ḡ² taken off v when centered;
 * w ← w − u, or, with momentum, p ← m·p + u and w ← w − p.
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options;
  checkRate("rho", rho);
  checkRate("momentum", momentum);
  const slots = ["velocity", ...(momentum > 0 ? ["momentum"] : []), ...(centered ? ["averageGradient"] : [])];
  return {
    name: "rmsprop",
    slots,
    countsSteps: false,
    update(b, { parameter, gradient, learningRate, slots: values }) {
      const slot = (name: string) => values[slots.indexOf(name)];
      const average = (before: Value, now: Value) => b.add(b.scale(before, rho), b.scale(now, 1 - rho));
      const velocity = average(slot("velocity") ?? parameter, b.square(gradient));
      const before = slot("averageGradient");
      const mean = before && average(before, gradient);
      const spread = mean ? b.sub(velocity, b.square(mean)) : velocity;
      const increment = b.div(b.mul(learningRate, gradient), b.sqrt(b.shift(spread, epsilon)));
      const held = slot("momentum");
      const move = held ? b.add(b.scale(held, momentum), increment) : increment;
      const next = [velocity, ...(held ? [move] : []), ...(mean ? [mean] : [])];
      return { parameter: b.sub(parameter, move), slots: next };
    },
  };
}

/** Limits on gradients before the update; at most one of them, as in Keras. */
export interface Clipping {
  /** Each gradient is scaled down to this norm. */
  readonly norm?: number;
  /** All gradients together are scaled down to this norm. */
  readonly globalNorm?: number;
  /** Each element is limited to ± this value. */
  readonly value?: number;
}

/** The gradients within the limits. Throws `usage` when more than one limit is given, or one is not positive. */
export function clipGradients(b: Builder, gradients: readonly Value[], clipping: Clipping): readonly Value[] {
  const limits = Object.values(clipping).filter((limit) => limit !== undefined);
  if (limits.length > 1 || limits.some((limit) => !(limit > 0))) {
    throw new GraftError("usage", "gradients are clipped by one positive limit", { actual: JSON.stringify(clipping) });
  }
  const { norm, globalNorm, value } = clipping;
  // g·c/max(‖g‖, c): unchanged while the norm is within the limit.
  const scaleDown = (gradient: Value, size: Value, limit: number) =>
    b.mul(gradient, b.div(b.scalar(limit, size), b.apply("Max", [size, b.scalar(limit, size)])));
  if (norm !== undefined) return gradients.map((each) => scaleDown(each, b.sqrt(sumOfSquares(b, each)), norm));
  if (globalNorm !== undefined) {
    const size = b.sqrt(
      b.apply(
        "Sum",
        gradients.map((each) => sumOfSquares(b, each)),
      ),
    );
    return gradients.map((each) => scaleDown(each, size, globalNorm));
  }
  if (value !== undefined) {
    return gradients.map((each) => b.apply("Clip", [each, b.scalar(-value, each), b.scalar(value, each)]));
  }
  return gradients;
}

function sumOfSquares(b: Builder, value: Value): Value {
  return b.apply("ReduceSumSquare", [value], { keepdims: false });
}

/** 1 − βᵗ. */
function remaining(b: Builder, beta: number, step: Value): Value {
  return b.sub(b.scalar(1, step), b.pow(b.scalar(beta, step), step));
}

function checkRate(name: string, rate: number): void {
  if (rate >= 0 && rate < 1) return;
  throw new GraftError("usage", `${name} lies outside its range`, {
    expected: "a number in [0, 1)",
    actual: String(rate),
  });
}

/** Zeros for a slot of a parameter. */
export function initialSlot(parameter: NumericTensor): NumericTensor {
  return tensorOf(parameter.dtype, parameter.shape, new Float64Array(parameter.data.length));
}
