/**
 * `force`, `disarm`, `exchange` and `hold`: changes by an operator. Each is shown, confirmed and recorded in an audit
 * entry.
 */
import { createKeys } from "@quantum/contract";
import {
  acceptHold,
  FORCE_TEXTS,
  type Forced,
  force,
  type Hold,
  holdText,
  operations,
  type PresentPlan,
  readAllHalts,
  readHold,
  readHolds,
  readPauses,
  readPresentPlans,
} from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import { patienceOf } from "./patience.ts";
import type { Session } from "./session.ts";

/** Frees the plan of each symbol's current proposal, the only plan that the poll would open. */
export async function forcePlans(
  session: Session,
  symbol: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const { access, terminal } = session;
  const present = await readPresentPlans(access, symbol);
  const found = await Promise.all(
    present.map(async (plan) => ({
      ...plan,
      ...(await force(access.partitions.of(plan.symbol), plan.planId)),
    })),
  );
  if (found.length === 0)
    throw new CommandError(
      EXIT.no,
      `no proposal in ${createKeys().proposal(symbol ?? "*")}: there is no plan to open`,
    );
  const shown = (plans: readonly (Forced & PresentPlan)[]) =>
    table(
      plans.map((plan) => [
        plan.symbol,
        plan.planId,
        "state" in plan ? plan.state : "",
        FORCE_TEXTS[plan.kind],
      ]),
    );
  const clearable = found.filter(({ kind }) => kind === "cleared");
  if (clearable.length === 0) {
    terminal.print({ cleared: [], left: found.map(dataOf) }, [...shown(found), "Nothing to clear."]);
    return;
  }
  const mandate = await confirm(session, options, shown(found));
  const done = await Promise.all(
    clearable.map(async (plan) => ({
      ...plan,
      ...(await force(access.partitions.of(plan.symbol), plan.planId, mandate)),
    })),
  );
  const cleared = done.filter(({ kind }) => kind === "cleared");
  const left = [
    ...found.filter(({ kind }) => kind !== "cleared"),
    ...done.filter(({ kind }) => kind !== "cleared"),
  ];
  terminal.print({ cleared: cleared.map(dataOf), left: left.map(dataOf) }, [
    ...shown([...cleared, ...left]),
    `${cleared.length} cleared.`,
  ]);
}

function dataOf({ symbol, planId, kind }: { symbol: string; planId: string; kind: string }) {
  return { symbol, plan_id: planId, result: kind };
}

export async function clearDisarmCommand(
  session: Session,
  options: ChangeOptions,
  stop: AbortSignal,
): Promise<void> {
  const { access, terminal } = session;
  const { disarm, unread } = await readAllHalts(access);
  if (disarm === null && unread.length === 0) {
    terminal.print({ cleared: false }, ["No disarm is in force."]);
    return;
  }
  const { text, shown } = await operations["disarm-clear"].preview(access, {});
  const mandate = await confirm(session, options, [text]);
  const patience = patienceOf(terminal, "The disarm is cleared", stop);
  const done = await operations["disarm-clear"].run(access, {}, mandate, shown, patience);
  terminal.print({ cleared: true, reason: disarm?.reason ?? "" }, [done]);
}

/** Ends the exchange's pauses. Correct if they no longer apply to this host. */
export async function resumeExchangeCommand(session: Session, options: ChangeOptions): Promise<void> {
  const { access, terminal } = session;
  if ((await readPauses(access.partitions.account)).length === 0) {
    terminal.print({ resumed: false }, ["The exchange has asked for no pause."]);
    return;
  }
  const { text, shown } = await operations["exchange-resume"].preview(access, {});
  const mandate = await confirm(session, options, [text]);
  const done = await operations["exchange-resume"].run(access, {}, mandate, shown);
  terminal.print({ resumed: true }, [done]);
}

export async function listHolds({ access, terminal }: Session): Promise<void> {
  const holds = await readHolds(access);
  terminal.print(
    holds.map(holdData),
    holds.map((hold) => holdText(hold, access.nowMs())),
  );
  if (holds.length === 0) throw new CommandError(EXIT.no, "no symbol is held");
}

/** Resolves once position-brain has reset the ledger. */
export async function acceptHoldCommand(
  session: Session,
  symbol: string,
  options: ChangeOptions,
): Promise<void> {
  const { access, terminal } = session;
  const hold = await readHold(access, symbol);
  if (hold === undefined) throw new CommandError(EXIT.no, `${symbol} is not held: snapshot and ledger match`);
  const { text } = await operations["hold-accept"].preview(access, { symbol });
  const mandate = await confirm(session, options, [text]);
  const { ledger, text: told } = await acceptHold(access, hold, mandate);
  if (ledger === undefined) throw new CommandError(EXIT.no, told);
  terminal.print({ symbol, origin: ledger.origin, ledger_amt: ledger.amount }, [told]);
}

function holdData({ symbol, sinceMs, exchangeAmt, ledgerAmt }: Hold) {
  return { symbol, since_ms: sinceMs, exchange_amt: exchangeAmt, ledger_amt: ledgerAmt };
}
