/** The two streams that the apply-layer only listens to: the issuers' wake-ups, and results for its metrics. */
import { permitEntry, resultEntry } from "@quantum/contract";
import type { PermitWait } from "@quantum/permits";
import { type Disposition, DONE, type Entry } from "@quantum/streams";
import type { ApplyTelemetry } from "./telemetry.ts";

/** Wake-ups are hints. An unreadable one is ignored, because the deadline leads to the same verdict. */
export function wakeBy(wait: PermitWait) {
  return async ({ fields }: Entry): Promise<Disposition> => {
    const permit = permitEntry.safeParse(fields);
    if (permit.success) await wait.answered(permit.data);
    return DONE;
  };
}

export function reportTo(events: ApplyTelemetry) {
  return async ({ fields }: Entry): Promise<Disposition> => {
    const result = resultEntry.safeParse(fields);
    if (result.success) events.emit("result", result.data);
    return DONE;
  };
}
