/**
 * An operator's way out: plans that only an operator signs. Flatten and close are plans of the class `operator`; a plan of
 * the class `drill` leads to no order and no cancellation. Source: docs/wire.md, "Exits".
 */

/** Who may sign a permit of which class: a service that answers plans, or an operator. */
export const PERMIT_CLASSES = ["issuer", "operator", "drill"] as const;
export type PermitClass = (typeof PERMIT_CLASSES)[number];

/** The classes of an operator's plans. */
export const EXIT_CLASSES = ["operator", "drill"] as const satisfies readonly PermitClass[];
export type ExitClass = (typeof EXIT_CLASSES)[number];

export function isExitClass(text: string): text is ExitClass {
  return (EXIT_CLASSES as readonly string[]).includes(text);
}

/** Their step. */
export const EXIT_STEP = "CLOSE_BY_OPERATOR";

/**
 * The attempt that an operator signs. The plan's real attempt does not exist yet when it is signed; the plan id is random and
 * never used again, so the signature counts for one plan all the same.
 */
export const EXIT_ATTEMPT = "0-0";

/** For how long a signature counts, by Redis's clock. */
export const EXIT_VALID_MS = 60_000;

/** So many keys must be enrolled before the exit counts as armed: one operator may be asleep, and one key lost. */
export const EXIT_KEYS_WANTED = 2;

/** The symbol of a drill, which reads the whole account. */
export const DRILL_SYMBOL = "ACCOUNT";
