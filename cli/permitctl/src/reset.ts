/** `reset`: plans whose orders were never claimed are forgotten, so that they may open again. */
import { findResettable, type Reset, resetEach, type Resettable } from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import type { Session } from "./session.ts";

export interface ResetOptions extends ChangeOptions {
  all?: boolean;
}

const TEXTS: Record<Reset["kind"], string> = {
  reset: "to be forgotten: its proposal may open it again",
  order: "unchanged: its order was or may be sent, so it never opens again",
  free: "unchanged: nothing is known of it",
};

export async function resetPlans(
  session: Session,
  planIds: readonly string[],
  options: ResetOptions,
): Promise<void> {
  const { access, terminal } = session;
  const isAll = options.all === true;
  if (isAll === planIds.length > 0)
    throw new CommandError(EXIT.usage, "give plan ids, or --all for every plan");
  const found = await findResettable(access, isAll ? undefined : [...new Set(planIds)]);
  const known = new Set(found.map(({ planId }) => planId));
  const unknown = planIds.filter((id) => !known.has(id)).map((planId) => ({ planId, kind: "free" as const }));
  const closed = found.filter(({ found: { kind } }) => kind === "order");
  const left = [...closed.map(({ planId }) => ({ planId, kind: "order" as const })), ...unknown];
  const due = found.filter(({ found: { kind } }) => kind === "reset");
  if (due.length === 0) {
    terminal.print({ reset: [], left: left.map(dataOf) }, [...table(left.map(rowOf)), "Nothing to reset."]);
    if (!isAll) throw new CommandError(EXIT.no, "");
    return;
  }
  const mandate = await confirm(session, options, [
    ...(isAll
      ? [
          `${due.length} plans, of which ${waiting(due)} wait: ${TEXTS.reset}. Those that wait end without a result.`,
        ]
      : table([...due.map((plan) => [plan.planId, stateOf(plan.found), TEXTS.reset]), ...left.map(rowOf)])),
  ]);
  const done = await resetEach(due, mandate);
  const changed = done.filter(({ found: { kind } }) => kind === "reset");
  const late = done.flatMap(({ planId, found: { kind } }) => (kind === "reset" ? [] : [{ planId, kind }]));
  const untouched = [...left, ...late];
  terminal.print({ reset: changed.map(({ planId }) => planId), left: untouched.map(dataOf) }, [
    ...table(untouched.map(rowOf)),
    `${changed.length} reset.`,
  ]);
}

interface Left {
  planId: string;
  kind: Reset["kind"];
}

function rowOf({ planId, kind }: Left): string[] {
  return [planId, "", TEXTS[kind]];
}

function dataOf({ planId, kind }: Left) {
  return { plan_id: planId, result: kind };
}

function stateOf(found: Reset): string {
  return found.kind === "reset" ? found.state : "";
}

function waiting(plans: readonly Resettable[]): number {
  return plans.filter(({ found }) => stateOf(found) === "WAITING").length;
}
