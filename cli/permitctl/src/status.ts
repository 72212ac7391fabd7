/** `status`: the pipeline on one screen. */
import { waitLine } from "@quantum/contract";
import {
  armedText,
  disarmText,
  type Doubt,
  duration,
  type Group,
  type KillRecord,
  type LastWait,
  type Overview,
  pauseText,
  type Service,
  type SymbolState,
  type Unfulfilled,
} from "@quantum/operator";
import { buildText, type Line, spans, styled } from "@quantum/service-kit";
import { table } from "./terminal.ts";
import { waitData } from "./wait-data.ts";

export function renderStatus(status: Overview): Line[] {
  const { disarm, atMs: nowMs, redis } = status;
  const good = (text: string) => styled("green", text);
  const bad = (text: string) => styled("red", text);
  const heading = (text: string) => styled("bold", text);
  const inDoubt = status.symbols.flatMap((symbol) => symbol.inDoubt);
  const doubtText = ({ planId, sinceMs }: Doubt) => `${planId} for ${duration(nowMs - sinceMs)}`;
  const unfulfilled = status.symbols.flatMap((symbol) => symbol.unfulfilled ?? []);
  const holds = status.symbols.flatMap(({ hold }) => hold ?? []);
  return [
    `${new Date(nowMs).toISOString()}  Redis ${redis.version} at ${redis.url}`,
    spans`kill switch   ${status.killRecord === null ? good("off") : bad(killLine(status, status.killRecord))}`,
    spans`disarm        ${disarm === null ? good("none") : bad(disarmText(disarm, nowMs))}`,
    spans`exit          ${styled(status.exit.armed ? "green" : "red", armedText(status.exit.state, nowMs))}`,
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

function lineOf(wait: LastWait | undefined): string {
  return wait === undefined ? "none in the streams" : waitLine(wait);
}

function killLine({ killSwitch, atMs }: Overview, { atMs: sinceMs }: KillRecord): string {
  return `ON${sinceMs === undefined ? "" : ` for ${duration(atMs - sinceMs)}`}, ${killSwitch.text}`;
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
export function statusData(status: Overview) {
  return {
    at_ms: status.atMs,
    redis: {
      url: status.redis.url,
      version: status.redis.version,
      durable: status.redis.notDurable.length === 0,
      problems: status.redis.notDurable,
    },
    kill_switch: {
      on: status.killSwitch.on,
      value: status.killSwitch.value,
      ...killData(status.killRecord),
    },
    disarm: status.disarm && {
      reason: status.disarm.reason,
      context: status.disarm.context,
      at_ms: status.disarm.atMs,
    },
    exit: {
      armed: status.exit.armed,
      keys: status.exit.state.keys,
      at_ms: status.exit.state.atMs ?? null,
      drilled_at_ms: status.exit.state.drilledAtMs ?? null,
      drilled_by: status.exit.state.drilledBy,
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
    symbols: status.symbols.map(
      ({ symbol, waiting, unsettled, inDoubt, hold, unfulfilled, limits, caps }) => ({
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
        caps: {
          executions_hour: caps.executionsHour,
          executions_5min: caps.executions5min,
          notional_day: caps.notionalDay,
          qty_day: caps.qtyDay,
        },
      }),
    ),
  };
}

function killData(record: KillRecord | null) {
  return record && { by: record.who ?? null, at_ms: record.atMs ?? null, reason: record.reason };
}
