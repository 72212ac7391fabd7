/** Under a BLOCK, in a few words: why nothing can go wrong, and what to look at. */
import { meaningOf, SAFE_BECAUSE } from "@quantum/contract";

export function explain(reason: string): string {
  const lookAt = meaningOf(reason)?.lookAt ?? "the plan's record, GET /plans/<plan> of the apply-layer";
  return `safe: ${SAFE_BECAUSE.wait}; look at ${lookAt}`;
}
