/** @file Multinomial logistic regression with an L2 penalty, for several sets of weights on the same examples at once. */
import type { Products } from "./linearHeadProducts.ts";

/** Which examples count, how much, and how strongly weights are kept small. */
export interface Problem {
  /** By example, non-negative, with a sum of 1; 0 for those that are held out. */
  readonly weights: Float64Array;
  /** λ > 0 in Σ wᵢ·CEᵢ + λ/2·|W|². The bias is free. */
  readonly regularization: number;
  /** Where to start, and where the solution is put: `[width + 1, classes]`, the bias last. */
  readonly solution: Float64Array;
}

export interface SolveOptions {
  readonly products: Products;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  readonly problems: readonly Problem[];
  /** How far above the minimum the objective may stay, as a share of itself: |∇|²/(2λ) bounds it. */
  readonly tolerance: number;
  readonly signal?: AbortSignal | undefined;
}

const maximumIterations = 500;
/** How many changes of the gradient L-BFGS remembers. */
const memory = 10;
/** Rounding in float32 products makes the objective uncertain by this share. */
const rounding = 1e-7;

/**
 * Minimises every problem by L-BFGS (Nocedal and Wright, algorithm 7.4) with steps that are halved until the objective
 * falls. They go in step: one pair of products serves them all.
 */
export async function solve(options: SolveOptions): Promise<void> {
  const { products, labels, classes, problems, tolerance, signal } = options;
  const searches = problems.map((problem) => new Search(problem, classes, tolerance));
  for (let active = searches; active.length > 0; active = active.filter((search) => !search.isDone)) {
    signal?.throwIfAborted();
    await evaluate(products, labels, classes, active);
    for (const search of active) search.advance();
  }
}

/** The logits of every example by the solutions, problem by problem: `[count, problems · classes]`. */
export async function logitsOf(
  products: Products,
  classes: number,
  solutions: readonly Float64Array[],
): Promise<Float64Array> {
  const { count, width } = products;
  const columns = classes * solutions.length;
  const joined = join(solutions, width, classes);
  const logits = new Float64Array(await products.forward(joined, columns));
  solutions.forEach((solution, index) => {
    for (let row = 0; row < count; row++) {
      for (let c = 0; c < classes; c++) {
        const at = row * columns + index * classes + c;
        logits[at] = (logits[at] ?? 0) + (solution[width * classes + c] ?? 0);
      }
    }
  });
  return logits;
}

/** Puts each search's objective and gradient at its point into it. */
async function evaluate(
  products: Products,
  labels: ArrayLike<number>,
  classes: number,
  searches: readonly Search[],
): Promise<void> {
  const { count, width } = products;
  const columns = classes * searches.length;
  // Becomes the gradient by the logits in place.
  const logits = await logitsOf(
    products,
    classes,
    searches.map(({ point }) => point),
  );
  searches.forEach((search, index) => {
    search.loss = 0;
    search.gradient.fill(0, width * classes);
    for (let row = 0; row < count; row++) {
      const from = row * columns + index * classes;
      const weight = search.weights[row] ?? 0;
      if (weight === 0) {
        logits.fill(0, from, from + classes);
        continue;
      }
      const label = labels[row] ?? 0;
      search.loss += weight * softmaxInPlace(logits, from, classes, label);
      logits[from + label] = (logits[from + label] ?? 0) - 1;
      for (let c = 0; c < classes; c++) {
        const value = weight * (logits[from + c] ?? 0);
        logits[from + c] = value;
        search.gradient[width * classes + c] = (search.gradient[width * classes + c] ?? 0) + value;
      }
    }
  });
  const gradient = await products.backward(logits, columns);
  searches.forEach(({ gradient: own }, index) => {
    for (let k = 0; k < width; k++) {
      for (let c = 0; c < classes; c++) own[k * classes + c] = gradient[k * columns + index * classes + c] ?? 0;
    }
  });
}

/** Turns logits into probabilities; returns the cross-entropy −log p of the label. */
export function softmaxInPlace(logits: Float64Array, from: number, classes: number, label: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < classes; c++) largest = Math.max(largest, logits[from + c] ?? 0);
  const chosen = (logits[from + label] ?? 0) - largest;
  let sum = 0;
  for (let c = 0; c < classes; c++) {
    const power = Math.exp((logits[from + c] ?? 0) - largest);
    logits[from + c] = power;
    sum += power;
  }
  for (let c = 0; c < classes; c++) logits[from + c] = (logits[from + c] ?? 0) / sum;
  return Math.log(sum) - chosen;
}

function join(solutions: readonly Float64Array[], width: number, classes: number): Float64Array {
  const columns = classes * solutions.length;
  const joined = new Float64Array(width * columns);
  solutions.forEach((solution, index) => {
    for (let k = 0; k < width; k++) {
      for (let c = 0; c < classes; c++) joined[k * columns + index * classes + c] = solution[k * classes + c] ?? 0;
    }
  });
  return joined;
}

/** One problem's descent. Its loss and gradient at `point` are filled in from outside, without the penalty. */
class Search {
  readonly weights: Float64Array;
  /** Where the objective is wanted next. */
  readonly point: Float64Array;
  readonly gradient: Float64Array;
  loss = 0;
  isDone = false;

  readonly #problem: Problem;
  readonly #tolerance: number;
  /** How many of the solution's elements are penalised. */
  readonly #penalised: number;
  readonly #changes: { readonly step: Float64Array; readonly slope: Float64Array; readonly curvature: number }[] = [];
  readonly #direction: Float64Array;
  readonly #before: Float64Array;
  #objective = Number.POSITIVE_INFINITY;
  /** The direction's slope at the solution so far, and how far along it the point lies. */
  #descent = 0;
  #length = 1;
  #iterations = 0;

  constructor(problem: Problem, classes: number, tolerance: number) {
    const size = problem.solution.length;
    this.weights = problem.weights;
    this.point = problem.solution.slice();
    this.gradient = new Float64Array(size);
    this.#problem = problem;
    this.#tolerance = tolerance;
    this.#penalised = size - classes;
    this.#direction = new Float64Array(size);
    this.#before = new Float64Array(size);
  }

  /** Takes the point or halves the step; then says where to look next. */
  advance(): void {
    const { solution, regularization } = this.#problem;
    let objective = this.loss;
    for (let at = 0; at < this.#penalised; at++) {
      const weight = this.point[at] ?? 0;
      objective += (regularization / 2) * weight * weight;
      this.gradient[at] = (this.gradient[at] ?? 0) + regularization * weight;
    }
    const allowed = this.#objective + 1e-4 * this.#length * this.#descent + rounding * Math.abs(this.#objective);
    if (objective > allowed) {
      // Below that, rounding hides any further descent.
      if (this.#length > 1e-6) this.#look(this.#length / 2);
      else this.isDone = true;
      return;
    }
    if (this.#iterations > 0) this.#remember();
    this.#objective = objective;
    solution.set(this.point);
    this.#before.set(this.gradient);
    this.#iterations += 1;
    const excess = dot(this.gradient, this.gradient) / (2 * regularization);
    if (excess <= this.#tolerance * objective || this.#iterations > maximumIterations) {
      this.isDone = true;
      return;
    }
    this.#aim();
    this.#look(1);
  }

  #look(length: number): void {
    const { solution } = this.#problem;
    this.#length = length;
    for (let at = 0; at < this.point.length; at++) {
      this.point[at] = (solution[at] ?? 0) + length * (this.#direction[at] ?? 0);
    }
  }

  #remember(): void {
    const { solution } = this.#problem;
    // The oldest change makes room: its arrays are used again.
    const oldest = this.#changes.length === memory ? this.#changes.shift() : undefined;
    const { step, slope } = oldest ?? { step: this.point.slice(), slope: this.gradient.slice() };
    for (let at = 0; at < step.length; at++) {
      step[at] = (this.point[at] ?? 0) - (solution[at] ?? 0);
      slope[at] = (this.gradient[at] ?? 0) - (this.#before[at] ?? 0);
    }
    const curvature = dot(step, slope);
    if (curvature > 1e-12 * dot(slope, slope)) this.#changes.push({ step, slope, curvature });
  }

  /** The two loops of L-BFGS: the gradient times the inverse curvature remembered, downwards. */
  #aim(): void {
    const direction = this.#direction;
    for (let at = 0; at < direction.length; at++) direction[at] = -(this.gradient[at] ?? 0);
    const shares: number[] = [];
    for (const { step, slope, curvature } of [...this.#changes].reverse()) {
      const share = dot(step, direction) / curvature;
      shares.unshift(share);
      addTo(direction, slope, -share);
    }
    const last = this.#changes.at(-1);
    // At first: features of root mean square 1 and the bias give a curvature of at most 1, and the penalty adds λ.
    const scale =
      last === undefined ? 1 / (1 + this.#problem.regularization) : last.curvature / dot(last.slope, last.slope);
    for (let at = 0; at < direction.length; at++) direction[at] = scale * (direction[at] ?? 0);
    this.#changes.forEach(({ step, slope, curvature }, index) => {
      addTo(direction, step, (shares[index] ?? 0) - dot(slope, direction) / curvature);
    });
    this.#descent = dot(direction, this.gradient);
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

function addTo(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let at = 0; at < target.length; at++) target[at] = (target[at] ?? 0) + factor * (vector[at] ?? 0);
}
