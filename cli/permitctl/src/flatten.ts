/**
 * `flatten` and `close`: an operator's way out. The venue is asked first and last; in between everything is closed that was
 * shown. Only Redis, one executor and the venue are needed.
 */
import type { ExitReport } from "@quantum/contract";
import {
  type ExitSigner,
  drill,
  exitAccount,
  haltFirst,
  type Mandate,
  readAccount,
  type Scope,
  type Sight,
  targetsOf,
  whyNot,
} from "@quantum/operator";
import { Big } from "big.js";
import { type SignerOptions, signerOf } from "./exit-signer.ts";
import { type ChangeOptions, whoAmI } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import { planLines, reportLines, sightText, stepLine, summaryData, summaryLines } from "./flatten-text.ts";
import type { Session } from "./session.ts";

export interface ExitOptions extends SignerOptions, ChangeOptions {
  envFile?: string;
  all?: boolean;
  drill?: boolean;
}

export interface CloseOptions extends ExitOptions {
  pct?: string;
  qty?: string;
}

/** The word that is typed where more than one symbol is closed. */
const EVERYTHING = "FLATTEN";

export async function flattenCommand(
  session: Session,
  symbols: readonly string[],
  options: ExitOptions,
  stop: AbortSignal,
): Promise<void> {
  if (options.all === true && symbols.length > 0)
    throw new CommandError(EXIT.usage, "--all is every position of the account: name no symbols with it");
  if (options.all !== true && symbols.length === 0 && options.drill !== true)
    throw new CommandError(
      EXIT.usage,
      "name the symbols to flatten, or --all for every position of the account",
    );
  const named = [...new Set(symbols.map(asSymbol))];
  const scope: Scope = named.length === 0 ? { kind: "account" } : { kind: "symbols", symbols: named };
  const what = scope.kind === "account" ? "flatten --all" : `flatten ${named.join(" ")}`;
  await leave(
    session,
    { what, word: named.length === 1 ? (named[0] ?? EVERYTHING) : EVERYTHING },
    options,
    stop,
    () => scope,
  );
}

export async function closeCommand(
  session: Session,
  name: string,
  options: CloseOptions,
  stop: AbortSignal,
): Promise<void> {
  const symbol = asSymbol(name);
  const { pct, qty } = options;
  if (pct !== undefined && qty !== undefined)
    throw new CommandError(EXIT.usage, "--pct and --qty say the same: give one of them");
  const what = [`close ${symbol}`, pct && `--pct ${pct}`, qty && `--qty ${qty}`].filter(Boolean).join(" ");
  await leave(session, { what, word: symbol }, options, stop, ({ positions }) => {
    if (pct === undefined && qty === undefined) return { kind: "symbols", symbols: [symbol] };
    const { amt = "0", unreadable = false } = positions.find((position) => position.symbol === symbol) ?? {};
    // Of a part nothing is closed that is not known, and of no position nothing: its resting orders stay.
    if (unreadable) return { kind: "part", symbol, quantity: "0", pct: "0" };
    return { kind: "part", symbol, ...partOf(Big(amt).abs(), pct, qty) };
  });
}

/** As the exchange spells it, however it was typed. */
function asSymbol(name: string): string {
  return name.toUpperCase();
}

/** The quantity may be rounded down to the venue's step by the executor. */
function partOf(position: Big, pct: string | undefined, qty: string | undefined) {
  if (pct !== undefined) return { pct: Big(pct).toFixed(), quantity: position.times(pct).div(100).toFixed() };
  const quantity = Big(qty ?? "0");
  if (quantity.gt(position))
    throw new CommandError(
      EXIT.usage,
      `--qty ${quantity.toFixed()}: the position is only ${position.toFixed()}; nothing was sent`,
    );
  return { quantity: quantity.toFixed(), pct: shareOf(quantity, position) };
}

const PCT_DECIMALS = 4;

function shareOf(quantity: Big, position: Big): string {
  return quantity.times(100).div(position).round(PCT_DECIMALS).toFixed();
}

/** @param scopeOf what is meant, once the positions are known */
async function leave(
  session: Session,
  { what, word }: { what: string; word: string },
  options: ExitOptions,
  stop: AbortSignal,
  scopeOf: (before: ExitReport) => Scope,
): Promise<void> {
  const { access, terminal } = session;
  const signer = await signerOf(options, session);
  const given = options.reason?.trim() ?? "";
  const isDrill = options.drill === true;
  if (!isDrill) mayAsk(session, options, given);
  const tell = (sight: Sight) => terminal.note(sightText("", sight, access.nowMs()));
  // A drill says at once that the account cannot be read; an exit needs to know the positions.
  const ask = isDrill ? drill : readAccount;
  const looking = { who: whoAmI(), reason: given || `before: ${what}` };
  const asked = await ask(access, signer, looking, stop, tell);
  if (asked.kind !== "report")
    throw new CommandError(EXIT.no, `${whyNot(asked)}. ${NOTHING_SENT}${adviceOf(asked, signer)}`);
  const before = asked.report;
  const scope = scopeOf(before);
  if (isDrill) {
    terminal.print({ ...signedAs(signer), drill: before }, reportLines(before, scope, signer));
    if (!before.complete) throw new CommandError(EXIT.no, "");
    return;
  }
  if (!before.complete && before.positions.length === 0)
    throw new CommandError(EXIT.no, `interrupted before the account could be read. ${NOTHING_SENT}`);

  for (const line of planLines(before, scope, signer)) terminal.note(line);
  const isAll = scope.kind === "account";
  const isIdle = !isAll && targetsOf(scope, before).length === 0;
  const reason = isIdle ? given : await agreed(session, { what, word }, options, given);
  if (stop.aborted) throw new CommandError(EXIT.no, `interrupted. ${NOTHING_SENT}`);
  const by: Mandate = { who: whoAmI(), reason };
  if (isAll) {
    // What was resting may fill from here on, but no plan of the pipeline comes in between.
    if (!(await haltFirst(access, by, stop, tell)))
      throw new CommandError(EXIT.no, `interrupted, and the kill switch may be off. ${NOTHING_SENT}`);
    terminal.note("The kill switch is ON, and stays on: nothing but this exit is sent.");
  }
  const closing = exitAccount(access, signer, { scope, before, by }, stop, tell);
  let next = await closing.next();
  for (; next.done !== true; next = await closing.next()) terminal.note(stepLine(next.value, access.nowMs()));
  const closure = next.value;
  const facts = { what, by, signer, closure, halted: isAll, atMs: access.nowMs() };
  terminal.print(summaryData(facts), summaryLines(facts));
  if (closure.open.length > 0) throw new CommandError(EXIT.no, `NOT done: ${closure.open.join("; ")}`);
}

const NOTHING_SENT = "Nothing was cancelled and nothing was sent.";

function adviceOf({ kind }: { kind: string }, { operator, key, mode, venue, account }: ExitSigner): string {
  const signed = `signed as ${operator} (key ${key.kid}) for mode ${mode}, venue ${venue}, account ${account}`;
  if (kind === "refused")
    return ` It was ${signed}: compare EXECUTOR_OPERATOR_KEYS_FILE, EXECUTOR_MODE, BINANCE_BASE_URL and QUANTUM_ACCOUNT of the executor. If that takes too long, close at the venue's own site (runbook BreakGlass)`;
  return ` Start an executor (permitctl status shows which are alive), or close at the venue's own site (runbook BreakGlass)`;
}

function signedAs({ operator, key, mode, venue, account }: ExitSigner) {
  return { operator, key_id: key.kid, mode, venue, account };
}

/** Before the venue is asked: whether there can be an answer to the questions that follow. */
function mayAsk({ terminal }: Session, { yes }: ChangeOptions, reason: string): void {
  if (terminal.interactive || (yes === true && reason !== "")) return;
  throw new CommandError(
    EXIT.usage,
    "not a terminal, so --yes and --reason TEXT are required; nothing was sent",
  );
}

/** @returns the reason */
async function agreed(
  { terminal }: Session,
  { what, word }: { what: string; word: string },
  { yes }: ChangeOptions,
  given: string,
): Promise<string> {
  if (yes !== true) {
    const typed = await terminal.ask(`Type ${word} to do this (${what}), or anything else to leave: `);
    if (typed !== word) throw new CommandError(EXIT.no, `not confirmed. ${NOTHING_SENT}`);
  }
  const reason = given === "" ? await terminal.ask("Reason, for the record: ") : given;
  if (reason === "") throw new CommandError(EXIT.usage, `a reason is required. ${NOTHING_SENT}`);
  return reason;
}
