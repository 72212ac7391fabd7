/** `status`: the pipeline on one screen. */
import { type WaitOutcome, waitLine } from "@quantum/contract";
import {
  type Disarm,
  type Doubt,
  duration,
  type ExchangePause,
  type ExitState,
  exitText,
  type Group,
  type KillRecord,
  type Service,
  type Status,
  type SymbolState,
  type Unfulfilled,
  whyNotArmed,
} from "@quantum/operator";
import { buildText, type KillSwitch, type Line, spans, type Styled, styled } from "@quantum/service-kit";
import { table } from "./terminal.ts";
import { waitData } from "./wait-data.ts";

export function renderStatus(status: Status): Line[] {
  const { killSwitch, disarm, nowMs, redis } = status;
  const good = (text: string) => styled("green", text);
  const bad = (text: string) => styled("red", text);
  const heading = (text: string) => styled("bold", text);
  const inDoubt = status.symbols.flatMap((symbol) => symbol.inDoubt);
  const doubtText = ({ planId, sinceMs }: Doubt) => `${planId} for ${duration(nowMs - sinceMs)}`;
  const unfulfilled = status.symbols.flatMap((symbol) => symbol.unfulfilled ?? []);
  const holds = status.symbols.flatMap(({ hold }) => hold ?? []);
  return [
    `${new Date(nowMs).toISOString()}  Redis ${redis.version} at ${redis.url}`,
    spans`kill switch   ${status.killRecord === null ? good("off") : bad(killText(killSwitch, status.killRecord, nowMs))}`,
    spans`disarm        ${disarm === null ? good("none") : bad(disarmText(disarm, nowMs))}`,
    spans`exit          ${armedText(status.exit, nowMs)}`,
    spans`exchange      ${status.pauses.length === 0 ? good("no pause") : bad(status.pauses.map(pauseText).join("; "))}`,
    spans`holds         ${holds.length === 0 ? good("none") : bad(holds.map(({ symbol }) => symbol).join(", "))}`,
    ...unfulfilledLines(unfulfilled, nowMs),
    spans`in doubt      ${inDoubt.length === 0 ? good("none") : bad(inDoubt.map(doubtText).join(", "))}`,
    spans`dead letters  ${status.deadLetters === 0 ? good("0") : bad(String(status.deadLetters))}`,
    spans`durability    ${redis.notDurable.length === 0 ? good("every claim is on disk") : styled("yellow", redis.notDurable.join("; "))}`,
    `last OK       ${lineOf(status.lastOk)}`,
    `last BLOCK    ${lineOf(status.lastBlock)}`,
    "",
    heading("services"),
    ...serviceTable(status.services),
    "",
    heading("groups"),
    ...groupTable(status.groups),
    "",
    heading("symbols (executions and charges: the governor's)"),
    ...symbolTable(status.symbols),
  ];
}

function armedText(exit: ExitState, nowMs: number): Styled {
  const why = whyNotArmed(exit, nowMs);
  const text = exitText(exit, nowMs);
  return why === undefined
    ? styled("green", `armed (${text})`)
    : styled("red", `NOT armed (${text}): ${why}`);
}

/** The value that permitctl writes; others are worth showing. */
const HALTED = "1";
/** The alert CloseUnfulfilled warns from here on. */
const UNFULFILLED_LONG_MS = 60_000;

/** A close is proposed, the position is open, and nothing is executed. */
function unfulfilledLines(unfulfilled: readonly Unfulfilled[], nowMs: number): Line[] {
  if (unfulfilled.length === 0) return [spans`unfulfilled   ${styled("green", "none")}`];
  return unfulfilled.map(({ symbol, sinceMs, positionAmt, last }) => {
    // It may have begun while the rest was read.
    const forMs = Math.max(0, nowMs - sinceMs);
    const position = positionAmt === "" ? "position unknown" : `position ${positionAmt}`;
    const text = `close of ${symbol} for ${duration(forMs)} (${position}${last === "" ? "" : `, last plan ${last}`})`;
    return spans`unfulfilled   ${styled(forMs < UNFULFILLED_LONG_MS ? "yellow" : "red", text)}`;
  });
}

function lineOf(wait: WaitOutcome | undefined): string {
  return wait === undefined ? "none in the streams" : waitLine(wait);
}

function killText({ value }: KillSwitch, { who, atMs, reason }: KillRecord, nowMs: number): string {
  const on = value === HALTED ? "ON" : `ON (${value})`;
  const since = atMs === undefined ? "" : ` for ${duration(nowMs - atMs)}`;
  const by = who === undefined ? "no entry says by whom (the Redis user halt, or redis-cli)" : `by ${who}`;
  const why = reason === "" ? "no reason yet, permitctl kill reason TEXT" : reason;
  return `${on}${since}, ${by}: ${why}`;
}

export function disarmText({ reason, context, atMs }: Disarm, nowMs: number): string {
  const details = Object.entries(context).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${reason}${details.join("")}${atMs === null ? "" : `, for ${duration(nowMs - atMs)}`}`;
}

export function pauseText({ scope, leftMs, reason }: ExchangePause): string {
  return `accepts no ${scope} for ${duration(leftMs)}: ${reason}`;
}

function serviceTable(services: readonly Service[]): string[] {
  if (services.length === 0) return ["  none is connected"];
  return table([
    ["instance", "reads", "ready", "version"],
    ...services.map(({ instance, alive, probe }) => [
      instance,
      alive ? "yes" : "no: gone",
      probe === undefined ? "?" : probe.ready ? "yes" : probe.problems.join("; "),
      probe?.build ? buildText(probe.build) : "?",
    ]),
  ]);
}

function groupTable(groups: readonly Group[]): string[] {
  if (groups.length === 0) return ["  none"];
  return table([
    ["stream", "group", "lag", "pending", "oldest idle", "consumers"],
    ...groups.map(({ stream, group, lag, pending, oldestIdleMs, consumers }) => [
      stream,
      group,
      String(lag ?? "?"),
      String(pending),
      pending === 0 ? "" : duration(oldestIdleMs),
      String(consumers.length),
    ]),
  ]);
}

function symbolTable(symbols: readonly SymbolState[]): string[] {
  if (symbols.length === 0) return ["  none"];
  return table([
    ["symbol", "waiting", "unsettled", "5 min", "hour", "qty today", "+ reserved", "USD today", "+ reserved"],
    ...symbols.map(({ symbol, waiting, unsettled, limits }) => [
      symbol,
      String(waiting),
      String(unsettled),
      String(limits.executions5min),
      String(limits.executionsHour),
      limits.chargedQty,
      limits.reservedQty,
      limits.chargedNotional,
      limits.reservedNotional,
    ]),
  ]);
}

/** In snake_case, like all other JSON of the wire. */
export function statusData(status: Status) {
  return {
    at_ms: status.nowMs,
    redis: {
      url: status.redis.url,
      version: status.redis.version,
      durable: status.redis.notDurable.length === 0,
      problems: status.redis.notDurable,
    },
    kill_switch: { ...status.killSwitch, ...killData(status.killRecord) },
    disarm: status.disarm && {
      reason: status.disarm.reason,
      context: status.disarm.context,
      at_ms: status.disarm.atMs,
    },
    exit: {
      armed: whyNotArmed(status.exit, status.nowMs) === undefined,
      keys: status.exit.keys,
      at_ms: status.exit.atMs ?? null,
      drilled_at_ms: status.exit.drilledAtMs ?? null,
      drilled_by: status.exit.drilledBy,
    },
    exchange_pauses: status.pauses.map(({ scope, leftMs, reason }) => ({ scope, left_ms: leftMs, reason })),
    dead_letters: status.deadLetters,
    last_ok: status.lastOk === undefined ? null : waitData(status.lastOk),
    last_block: status.lastBlock === undefined ? null : waitData(status.lastBlock),
    services: status.services.map(({ service, instance, alive, probe }) => ({
      service,
      instance,
      alive,
      ready: probe?.ready ?? null,
      version: probe?.build?.version ?? null,
      commit: probe?.build?.commit ?? null,
      problems: probe?.problems ?? [],
    })),
    groups: status.groups.map(({ stream, group, lag, pending, oldestIdleMs, consumers }) => ({
      stream,
      group,
      lag,
      pending,
      oldest_idle_ms: oldestIdleMs,
      consumers,
    })),
    symbols: status.symbols.map(({ symbol, waiting, unsettled, inDoubt, hold, unfulfilled, limits }) => ({
      symbol,
      waiting,
      unsettled,
      in_doubt: inDoubt.map(({ planId, sinceMs }) => ({ plan_id: planId, since_ms: sinceMs })),
      hold: hold && {
        since_ms: hold.sinceMs,
        exchange_amt: hold.exchangeAmt,
        ledger_amt: hold.ledgerAmt,
      },
      unfulfilled: unfulfilled && {
        since_ms: unfulfilled.sinceMs,
        position_amt: unfulfilled.positionAmt,
        last: unfulfilled.last,
      },
      executions_5min: limits.executions5min,
      executions_hour: limits.executionsHour,
      charged_qty: limits.chargedQty,
      charged_notional: limits.chargedNotional,
      reserved_qty: limits.reservedQty,
      reserved_notional: limits.reservedNotional,
    })),
  };
}

function killData(record: KillRecord | null) {
  return record && { by: record.who ?? null, at_ms: record.atMs ?? null, reason: record.reason };
}
