/** `force`, `kill`, `disarm`, `exchange` and `hold`: what an operator changes. Each shows it, asks, and leaves an audit entry. */
import { setTimeout as delay } from "node:timers/promises";
import { HOLD_ACCEPT, ledgerRecord, parseProposal, planId, readableFields } from "@quantum/contract";
import { redisNow } from "@quantum/redis";
import {
  type ChangeOptions,
  clearDisarm,
  commandAccept,
  confirm,
  type Forced,
  force,
  resumeExchange,
  setKillSwitch,
} from "./change.ts";
import { CommandError, EXIT } from "./exit.ts";
import { readHalts } from "./halts.ts";
import type { Session } from "./session.ts";
import { readPauses } from "./pauses.ts";
import { disarmText, pauseText } from "./status.ts";
import { type Hold, readHold, symbolsUnder } from "./symbols.ts";
import { duration, table } from "./terminal.ts";

const LOOK_MS = 100;

const FORCE_WORDS: Record<Forced["kind"], string> = {
  cleared: "its mark goes: the next poll of the hash opens it again",
  waiting: "stays: it waits for its permits, and gets its result first",
  order: "stays: an order of it was or may be sent, and it never opens again",
  free: "stays: nothing keeps it from opening",
};

/** Frees the plan of each symbol's present proposal: the only one that the poll would open. */
export async function forcePlans(
  session: Session,
  symbol: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const { redis, keys, terminal } = session;
  const symbols = symbol === undefined ? await symbolsUnder(redis, keys.proposal("")) : [symbol];
  const present = await Promise.all(
    symbols.map(async (name) => {
      const parsed = parseProposal(name, await redis.hgetall(keys.proposal(name)));
      if (!parsed.ok) return [];
      const id = planId(parsed.proposal);
      return [{ symbol: name, planId: id, ...(await force(redis, keys, id)) }];
    }),
  );
  const found = present.flat();
  if (found.length === 0)
    throw new CommandError(
      EXIT.no,
      `no proposal in ${keys.proposal(symbol ?? "*")}: there is no plan to open`,
    );
  const shown = (plans: readonly (Forced & { symbol: string; planId: string })[]) =>
    table(
      plans.map((plan) => [
        plan.symbol,
        plan.planId,
        "state" in plan ? plan.state : "",
        FORCE_WORDS[plan.kind],
      ]),
    );
  const clearable = found.filter(({ kind }) => kind === "cleared");
  if (clearable.length === 0) {
    terminal.print({ cleared: [], left: found.map(dataOf) }, [...shown(found), "Nothing to clear."]);
    return;
  }
  const mandate = await confirm(session, options, shown(found));
  const done = await Promise.all(
    clearable.map(async (plan) => ({ ...plan, ...(await force(redis, keys, plan.planId, mandate)) })),
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

export async function kill(session: Session, on: boolean, options: ChangeOptions): Promise<void> {
  const { redis, keys, terminal } = session;
  const what = on
    ? "Kill switch ON: no plan opens, no permit is issued or spent, no order is claimed from this command on."
    : "Kill switch OFF: plans, permits and orders go on.";
  const mandate = await confirm(session, options, [what]);
  const changed = await setKillSwitch(redis, keys, on, mandate);
  terminal.print({ kill_switch: on ? "on" : "off", changed }, [
    changed ? `The kill switch is ${on ? "on" : "off"}.` : `It was ${on ? "on" : "off"} already.`,
  ]);
}

export async function clearDisarmCommand(session: Session, options: ChangeOptions): Promise<void> {
  const { redis, keys, terminal } = session;
  const { disarm, shown } = await readHalts(redis, keys);
  if (disarm === null) {
    terminal.print({ cleared: false }, ["No disarm is in force."]);
    return;
  }
  const mandate = await confirm(session, options, [`Disarmed: ${disarmText(disarm, redisNow(redis))}`]);
  if (!(await clearDisarm(redis, keys, shown, mandate)))
    throw new CommandError(EXIT.no, "the disarm is no longer the one that was shown; nothing was changed");
  terminal.print({ cleared: true, reason: disarm.reason }, ["The disarm is cleared."]);
}

/** Ends the pauses that the exchange asked for: right where they no longer concern this host. */
export async function resumeExchangeCommand(session: Session, options: ChangeOptions): Promise<void> {
  const { redis, keys, terminal } = session;
  const pauses = await readPauses(redis, keys);
  if (pauses.length === 0) {
    terminal.print({ resumed: false }, ["The exchange has asked for no pause."]);
    return;
  }
  const mandate = await confirm(session, options, [
    ...pauses.map((pause) => `The exchange ${pauseText(pause)}`),
    "Asking before its end lengthens a ban, unless the ban is for another address or account.",
  ]);
  const resumed = await resumeExchange(redis, keys, mandate);
  terminal.print({ resumed }, [
    resumed ? "The pause is over: every service asks again within a second." : "It was over already.",
  ]);
}

export async function listHolds({ redis, keys, terminal }: Session): Promise<void> {
  const symbols = await symbolsUnder(redis, keys.ledger(""));
  const holds = (await Promise.all(symbols.map((symbol) => readHold(redis, keys, symbol)))).filter(
    (hold) => hold !== undefined,
  );
  terminal.print(
    holds.map(holdData),
    holds.length === 0 ? ["No symbol is held."] : holds.map((hold) => holdText(hold, redisNow(redis))),
  );
}

/** Resolves once position-brain has begun the ledger anew. */
export async function acceptHold(session: Session, symbol: string, options: ChangeOptions): Promise<void> {
  const { redis, keys, terminal } = session;
  const hold = await readHold(redis, keys, symbol);
  if (hold === undefined) throw new CommandError(EXIT.no, `${symbol} is not held: exchange and ledger agree`);
  const mandate = await confirm(session, options, [
    holdText(hold, redisNow(redis)),
    "Accepting takes the exchange's position as right, whatever the account's trades say.",
  ]);
  const { since_ms: disagrees_since_ms, exchange_amt, ledger_amt } = holdData(hold);
  await commandAccept(redis, keys, symbol, { disagrees_since_ms, exchange_amt, ledger_amt }, mandate);
  const deadline = performance.now() + HOLD_ACCEPT.validMs;
  while ((await readHold(redis, keys, symbol))?.sinceMs === hold.sinceMs) {
    if (performance.now() > deadline)
      throw new CommandError(
        EXIT.no,
        `position-brain has not accepted within ${HOLD_ACCEPT.validMs / 1_000} s: is it running, does the exchange answer? The command has expired`,
      );
    await delay(LOOK_MS);
  }
  const { fields } = readableFields(ledgerRecord, await redis.hgetall(keys.ledger(symbol)));
  const { origin = null, last_known_amt: amount = null } = fields;
  terminal.print({ symbol, origin, ledger_amt: amount }, [
    `${symbol}: the ledger begins anew at ${amount} (${origin}).`,
  ]);
}

function holdData({ symbol, sinceMs, exchangeAmt, ledgerAmt }: Hold) {
  return { symbol, since_ms: sinceMs, exchange_amt: exchangeAmt, ledger_amt: ledgerAmt };
}

function holdText({ symbol, sinceMs, exchangeAmt, ledgerAmt }: Hold, nowMs: number): string {
  return `${symbol}: exchange ${exchangeAmt}, ledger ${ledgerAmt}, for ${duration(nowMs - sinceMs)}`;
}
