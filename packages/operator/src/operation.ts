/** What every change of an operator is: shown, and made if it is still what was shown. */
import { hash } from "node:crypto";
import type { OpenAccess } from "./access.ts";
import type { Mandate } from "./changes.ts";
import type { Patience } from "./everywhere.ts";
import { Refusal } from "./refusal.ts";

export interface Preview {
  /** What it would do and what that means: a sentence or more. */
  text: string;
  /** Stands for all that the text tells of, but for how long it has lasted. */
  shown: string;
}

/** Both throw a {@link Refusal}. */
export interface Operation<Args> {
  /** Changes nothing. */
  preview(access: OpenAccess, args: Args): Promise<Preview>;
  /**
   * @param shown of the preview: what is there now must be the same. Without it, what is there now counts
   * @param patience for a change that belongs to every partition; without it, each is tried once
   * @returns what was done
   */
  run(access: OpenAccess, args: Args, by: Mandate, shown?: string, patience?: Patience): Promise<string>;
}

export async function sameAsShown<Args>(
  operation: Operation<Args>,
  access: OpenAccess,
  args: Args,
  shown: string | undefined,
): Promise<void> {
  if (shown === undefined) return;
  const now = await operation.preview(access, args);
  if (now.shown !== shown) throw changedMeanwhile();
}

export function changedMeanwhile(): Refusal {
  return new Refusal("it is no longer what was shown; nothing was changed. Look again, and decide again");
}

const FINGERPRINT_DIGITS = 16;

export function fingerprint(...parts: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(parts), "hex").slice(0, FINGERPRINT_DIGITS);
}
