/** `history`: how plans ended, newest first. */
import { type PlanList, type PlanQuery, type PlanRow, searchPlans } from "@quantum/operator";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import type { Session } from "./session.ts";

export interface HistoryOptions extends Pick<PlanQuery, "symbol" | "outcome" | "reason"> {
  limit: number;
}

export async function history(
  { access, terminal }: Session,
  { limit, ...wanted }: HistoryOptions,
): Promise<void> {
  const rows: PlanRow[] = [];
  for (let cursor: string | undefined; ;) {
    const query = { ...wanted, cursor };
    const page: PlanList = await searchPlans(access, query, { limit: limit - rows.length, onlyEnded: true });
    rows.push(...page.rows);
    cursor = page.next;
    if (cursor === undefined || rows.length === limit) break;
  }
  const lines = [
    ["ended", "plan", "symbol", "outcome", "quantity", "reason"],
    ...rows.map(({ atMs, planId, symbol, outcome, executedQty, reason, detail }) => [
      new Date(atMs).toISOString(),
      planId,
      symbol,
      outcome,
      executedQty,
      [reason, detail].filter(Boolean).join(": "),
    ]),
  ];
  terminal.print(rows.map(rowData), rows.length === 0 ? [] : table(lines, terminal.size?.columns));
  if (rows.length === 0) throw new CommandError(EXIT.no, "the streams hold no plan that ended so");
}

function rowData({ atMs, planId, symbol, outcome, executedQty, reason, detail, corrects }: PlanRow) {
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
