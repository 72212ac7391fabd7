/** The kill switch before everything is closed: whatever Redis does, the operator need not begin again. */
import type { Access } from "../access.ts";
import type { Mandate } from "../changes.ts";
import { missingText, type Reached } from "../everywhere.ts";
import { haltEverywhere } from "../halt-everywhere.ts";
import { setTimeout as delay } from "node:timers/promises";
import { RETRY_MS, type Sight, silenceOf } from "./plan.ts";

/**
 * One partition that is away keeps nobody from closing what is in the others: it is told, and the wire's kill switch, or that
 * nobody can read it, halts it within 5 s.
 * @returns false if `stop` was aborted before Redis answered: then it may be on or not
 */
export async function haltFirst(
  access: Access,
  by: Mandate,
  stop: AbortSignal,
  tell: (sight: Sight) => void,
): Promise<boolean> {
  for (let told = ""; ;) {
    try {
      const { reached } = await haltEverywhere(access, by);
      if (reached.done.length === 0) throw errorOf(reached);
      if (reached.missing.length > 0) tell({ kind: "silent", why: missingText(reached.missing) });
      return true;
    } catch (error) {
      const why = silenceOf(error);
      if (why !== told) tell({ kind: "silent", why: (told = why) });
      if (stop.aborted) return false;
      await delay(RETRY_MS);
    }
  }
}

function errorOf({ missing: [first] }: Reached<unknown>): Error {
  return first?.error ?? new Error("there are no partitions");
}
