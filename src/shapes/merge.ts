/** @file Two statements about one value, put together: the more specific wins, a contradiction is an error. */
import { showType, type ValueType } from "../graph/index.ts";
import { type Dimension, GraftError, type Shape } from "../tensor/index.ts";

/**
 * What a model declares of a value and what follows from its inputs. Numbers win over names, names over nothing, and of
 * two names the inferred one, which is the inputs' own. Throws "model-invalid" where the two contradict each other.
 */
export function mergeTypes(declared: ValueType, inferred: ValueType): ValueType {
  const contradiction = () =>
    new GraftError("model-invalid", "the declared type contradicts the inputs", {
      expected: showType(inferred),
      actual: showType(declared),
    });
  if (declared.dtype !== undefined && inferred.dtype !== undefined && declared.dtype !== inferred.dtype) {
    throw contradiction();
  }
  const shape = mergeShapes(declared.shape, inferred.shape, contradiction);
  return { dtype: inferred.dtype ?? declared.dtype, shape };
}

function mergeShapes(
  declared: Shape | undefined,
  inferred: Shape | undefined,
  contradiction: () => GraftError,
): Shape | undefined {
  if (declared === undefined || inferred === undefined) return inferred ?? declared;
  if (declared.length !== inferred.length) throw contradiction();
  return inferred.map((size, axis): Dimension => {
    const other = declared[axis] ?? null;
    if (typeof size === "number" && typeof other === "number" && size !== other) throw contradiction();
    if (typeof size === "number") return size;
    return typeof other === "number" ? other : (size ?? other);
  });
}

export function isSameType(a: ValueType, b: ValueType): boolean {
  if (a.dtype !== b.dtype || a.shape?.length !== b.shape?.length) return false;
  return a.shape?.every((size, axis) => size === b.shape?.[axis]) ?? true;
}
