/** `history`: how plans ended, newest first. */
import { correctsText, readResults, type Result, type ResultFilter } from "@quantum/operator";
import type { Session } from "./session.ts";
import { table } from "./terminal.ts";

export async function history({ access, terminal }: Session, filter: ResultFilter): Promise<void> {
  const { results, corrected } = await readResults(access, filter);
  terminal.print(
    results.map(resultData),
    table([
      ["ended", "plan", "symbol", "outcome", "quantity", "reason"],
      ...results.map(({ atMs, planId, symbol, outcome, executedQty, reason, detail, corrects }) => [
        new Date(atMs).toISOString(),
        planId,
        symbol,
        outcome,
        executedQty,
        corrects === ""
          ? [reason, detail].filter(Boolean).join(": ")
          : correctsText(corrects, corrected.get(corrects)),
      ]),
    ]),
  );
}

function resultData({ atMs, planId, symbol, outcome, executedQty, reason, detail, corrects }: Result) {
  return {
    at_ms: atMs,
    plan_id: planId,
    symbol,
    outcome,
    executed_qty: executedQty,
    reason,
    detail,
    corrects,
  };
}
