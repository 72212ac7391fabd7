/** `status --json`: in snake_case, like all other JSON of the wire. */
import { type Overview, whyNoPipeline } from "@quantum/operator";
import { waitData } from "./wait-data.ts";

/** Redis does not answer. */
export interface Away {
  /** When it answered last, by its clock. */
  sinceMs: number;
  nowMs: number;
  problem: string;
}

/** @param away everything is then what Redis last said */
export function statusData(status: Overview, away?: Away) {
  return {
    at_ms: status.atMs,
    away: away === undefined ? null : { since_ms: away.sinceMs, problem: away.problem },
    pipeline: whyNoPipeline(status.groups) === undefined,
    silent: status.silent,
    redis: {
      url: status.redis.url,
      version: status.redis.version,
      durable: status.redis.notDurable.length === 0,
      problems: status.redis.notDurable,
    },
    kill_switch: {
      on: status.killSwitch.on,
      value: status.killSwitch.value,
      ...(status.killRecord && {
        by: status.killRecord.who ?? null,
        at_ms: status.killRecord.atMs ?? null,
        reason: status.killRecord.reason,
      }),
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
    waiting: status.waiting.map(({ planId, symbol, openedAtMs, deadlineMs, lacks }) => ({
      plan_id: planId,
      symbol,
      opened_at_ms: openedAtMs,
      deadline_ms: deadlineMs,
      lacks,
    })),
    services: status.services.map(({ service, instance, alive, probe }) => ({
      service,
      instance,
      alive,
      asked: probe !== undefined,
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
    symbols: status.symbols.map(symbolData),
  };
}

function symbolData({
  symbol,
  waiting,
  unsettled,
  inDoubt,
  hold,
  unfulfilled,
  limits,
  caps,
}: Overview["symbols"][number]) {
  return {
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
  };
}
