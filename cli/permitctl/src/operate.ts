/**
 * `force`, `disarm`, `exchange` and `hold`: changes by an operator. Each is shown, confirmed and recorded in an audit
 * entry.
 */
import { createKeys, HOLD_ACCEPT } from "@quantum/contract";
import {
  acceptHold,
  clearDisarm,
  FORCE_TEXTS,
  type Forced,
  force,
  type Hold,
  holdText,
  operations,
  type PresentPlan,
  readHalts,
  readHold,
  readHolds,
  readPauses,
  readPresentPlans,
  resumeExchange,
} from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";
import { table } from "./terminal.ts";

/** Frees the plan of each symbol's current proposal, the only plan that the poll would open. */
export async function forcePlans(
  session: Session,
  symbol: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const { access, terminal } = session;
  const present = await readPresentPlans(access, symbol);
  const found = await Promise.all(
    present.map(async (plan) => ({ ...plan, ...(await force(access, plan.planId)) })),
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
    clearable.map(async (plan) => ({ ...plan, ...(await force(access, plan.planId, mandate)) })),
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

export async function clearDisarmCommand(session: Session, options: ChangeOptions): Promise<void> {
  const { access, terminal } = session;
  const { disarm, shown } = await readHalts(access);
  if (disarm === null) {
    terminal.print({ cleared: false }, ["No disarm is in force."]);
    return;
  }
  const mandate = await confirm(session, options, [
    (await operations["disarm-clear"].preview(access, {})).text,
  ]);
  if (!(await clearDisarm(access, shown, mandate)))
    throw new CommandError(EXIT.no, "the disarm is no longer the one that was shown; nothing was changed");
  terminal.print({ cleared: true, reason: disarm.reason }, ["The disarm is cleared."]);
}

/** Ends the exchange's pauses. Correct if they no longer apply to this host. */
export async function resumeExchangeCommand(session: Session, options: ChangeOptions): Promise<void> {
  const { access, terminal } = session;
  const pauses = await readPauses(access);
  if (pauses.length === 0) {
    terminal.print({ resumed: false }, ["The exchange has asked for no pause."]);
    return;
  }
  const mandate = await confirm(session, options, [
    (await operations["exchange-resume"].preview(access, {})).text,
  ]);
  const resumed = await resumeExchange(access, mandate);
  terminal.print({ resumed }, [
    resumed
      ? "The pause is ended: every service sends requests again within a second."
      : "The pause was already over.",
  ]);
}

export async function listHolds({ access, terminal }: Session): Promise<void> {
  const holds = await readHolds(access);
  terminal.print(
    holds.map(holdData),
    holds.length === 0 ? ["No symbol is held."] : holds.map((hold) => holdText(hold, access.nowMs())),
  );
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
  const mandate = await confirm(session, options, [
    (await operations["hold-accept"].preview(access, { symbol })).text,
  ]);
  const ledger = await acceptHold(access, hold, mandate);
  if (ledger === undefined)
    throw new CommandError(
      EXIT.no,
      `position-brain did not act within ${HOLD_ACCEPT.validMs / 1_000} s, and the command has expired. Is position-brain running? Does the exchange answer?`,
    );
  const { origin, amount } = ledger;
  terminal.print({ symbol, origin, ledger_amt: amount }, [
    `${symbol}: the ledger is reset to ${amount} (${origin}).`,
  ]);
}

function holdData({ symbol, sinceMs, exchangeAmt, ledgerAmt }: Hold) {
  return { symbol, since_ms: sinceMs, exchange_amt: exchangeAmt, ledger_amt: ledgerAmt };
}
