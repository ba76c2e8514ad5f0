/** @file Two statements about one value, put together: the more specific wins. */
import { showType, type ValueType } from "../graph/index.ts";
import { areCompatible, type Dimension, GraftError, type Shape } from "../tensor/index.ts";

/**
 * What a model declares of a value and what follows from its inputs. Numbers win over names, names over nothing, and of
 * two names the inferred one, which is the inputs' own. Where the shapes contradict each other the inferred one wins, as
 * in ONNX Runtime, since exporters write wrong ones; `strict` makes that an error. Throws "model-invalid" for contradicting
 * element types.
 */
export function mergeTypes(declared: ValueType, inferred: ValueType, strict: boolean): ValueType {
  const sameType = declared.dtype === undefined || inferred.dtype === undefined || declared.dtype === inferred.dtype;
  const sameShape = !declared.shape || !inferred.shape || areCompatible(declared.shape, inferred.shape);
  if (!sameType || (strict && !sameShape)) {
    throw new GraftError("model-invalid", "the declared type contradicts the inputs", {
      expected: showType(inferred),
      actual: showType(declared),
    });
  }
  const shape = sameShape ? mergeShapes(declared.shape, inferred.shape) : inferred.shape;
  return { dtype: inferred.dtype ?? declared.dtype, shape };
}

function mergeShapes(declared: Shape | undefined, inferred: Shape | undefined): Shape | undefined {
  if (declared === undefined || inferred === undefined) return inferred ?? declared;
  return inferred.map((size, axis): Dimension => {
    const other = declared[axis] ?? null;
    return typeof size !== "number" && typeof other === "number" ? other : (size ?? other);
  });
}

export function isSameType(a: ValueType, b: ValueType): boolean {
  if (a.dtype !== b.dtype || a.shape?.length !== b.shape?.length) return false;
  return a.shape?.every((size, axis) => size === b.shape?.[axis]) ?? true;
}
