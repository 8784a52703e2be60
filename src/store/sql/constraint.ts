/** A statement that the database refused, told in the same way by every engine. */

/** What was broken: a reference, or that a value must be unique. */
export type ConstraintKind = 'foreign-key' | 'unique';

/** Thrown into the generator whose statement it was; the engine's own error is its cause. */
export class ConstraintError extends Error {
  readonly kind: ConstraintKind;

  constructor(kind: ConstraintKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** True for the refusal of a constraint of this kind. */
export function isConstraint(error: unknown, kind: ConstraintKind): boolean {
  return error instanceof ConstraintError && error.kind === kind;
}
