/** @file Keras's automatic names: `dense`, `dense_1`, … in the order in which layers are made. */

const counts = new Map<string, number>();

/** The next name for a layer of this class, such as `global_average_pooling2d` for `GlobalAveragePooling2D`. */
export function automaticName(className: string): string {
  const name = snakeCase(className);
  const count = counts.get(name) ?? 0;
  counts.set(name, count + 1);
  return count === 0 ? name : `${name}_${count}`;
}

/** Starts the automatic names anew: the next dense layer is `dense` again (Keras's `clear_session`). */
export function clearSession(): void {
  counts.clear();
}

/** Keras's `to_snake_case`. */
function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
