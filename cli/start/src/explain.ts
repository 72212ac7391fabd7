/** Short text below a BLOCK: why it is safe, and where to look. */
import { meaningOf, SAFE_BECAUSE } from "@quantum/contract";

export function explain(reason: string): string {
  const lookAt = meaningOf(reason)?.lookAt ?? "the plan's record, GET /plans/<plan> of the apply-layer";
  return `safe: ${SAFE_BECAUSE.wait}; look at ${lookAt}`;
}
