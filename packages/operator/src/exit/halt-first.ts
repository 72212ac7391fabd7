/** The kill switch before everything is closed: whatever Redis does, the operator need not begin again. */
import { setTimeout as delay } from "node:timers/promises";
import type { Access } from "../access.ts";
import { halt, type Mandate } from "../changes.ts";
import { RETRY_MS, type Sight, silenceOf } from "./plan.ts";

/** @returns false if `stop` was aborted before Redis answered: then it may be on or not */
export async function haltFirst(
  access: Access,
  by: Mandate,
  stop: AbortSignal,
  tell: (sight: Sight) => void,
): Promise<boolean> {
  for (let told = ""; ;) {
    try {
      await halt(access.partitions.account, by);
      return true;
    } catch (error) {
      const why = silenceOf(error);
      if (why !== told) tell({ kind: "silent", why: (told = why) });
      if (stop.aborted) return false;
      await delay(RETRY_MS);
    }
  }
}
