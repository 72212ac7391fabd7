/** The apply-layer's side of the permit protocol; the typed wrapper of `lua/permits/consume.lua`. */
import { type Keys, QUANTITY_ISSUER, TTL_SEC, verdictField } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import { haltKeys } from "./keys.ts";

const run = bindScript("permits/consume");

export type Verdict =
  | {
      kind: "ok";
      planId: string;
      symbol: string;
      /** Time from publication to verdict, by Redis's clock. */
      waitMs: number;
      /** Decimal text, as P3.3 wrote it. */
      safeQty: string;
      mode: string;
    }
  | {
      kind: "blocked";
      planId: string;
      symbol: string;
      waitMs: number;
      reason: string;
      /** The denying issuer's own reason, or empty. */
      detail: string;
      /** Seconds each issuer's permit had left: -2 absent, -1 without TTL. */
      permitTtls: ReadonlyMap<string, number>;
    };

export type Consumed =
  | { kind: "verdict"; verdict: Verdict; replayed: boolean }
  | { kind: "waiting"; remainingMs: number; lacking: readonly string[] }
  | { kind: "gone" };

export interface ConsumeOptions {
  redis: RedisClient;
  keys: Keys;
  /** Names of the required issuers. All of their permits are spent, or none. */
  required: readonly string[];
  /** Required issuers whose permit is the bare text `1`, without an attempt, quantity or cap. */
  bare?: readonly string[];
  /** How long an executor may claim the order after the permits are spent. */
  executeTtlMs: number;
  /** How late after the deadline the last attempt may still find the permits. */
  graceMs: number;
  /** The caller's own configuration halts everything. */
  halted: boolean;
}

/** @param overdueMs how long ago the wait ended by the caller's monotonic clock, if known; negative before its end */
export type Consume = (planId: string, symbol: string, overdueMs?: number) => Promise<Consumed>;

/** Spends all permits of a plan together, blocks the plan, or reports that it must wait. Safe to repeat. */
export function createConsume(options: ConsumeOptions): Consume {
  const { redis, keys, required, bare = [] } = options;
  const issuerArgs = required.flatMap((issuer) => [
    issuer,
    bare.includes(issuer) ? "bare" : verdictField(issuer),
  ]);
  return async (planId, symbol, overdueMs) => {
    const reply = await run(redis, {
      keys: {
        plan: keys.plan(planId),
        spent: keys.spent(planId),
        waiting: keys.waiting(symbol),
        executes: keys.streams.execute,
        handed_over: keys.handedOver,
        results: keys.streams.result,
        ...haltKeys(redis, keys),
      },
      restKeys: required.flatMap((issuer) => [keys.permit(issuer, planId), keys.block(issuer, planId)]),
      args: {
        plan_id: planId,
        halt: options.halted ? "kill_switch_active" : "",
        execute_ms: String(options.executeTtlMs),
        grace_ms: String(options.graceMs),
        spent_sec: String(TTL_SEC.spent),
        // From then on neither the record nor an issuer asks for it.
        dry_run_sec: String(TTL_SEC.plan),
        overdue_ms: overdueMs === undefined ? "" : String(Math.floor(overdueMs)),
        quantity_issuer: QUANTITY_ISSUER,
      },
      restArgs: issuerArgs,
    });
    return parseReply(planId, required, reply);
  };
}

function parseReply(planId: string, required: readonly string[], reply: readonly string[]): Consumed {
  const [status, ...rest] = reply;
  switch (status) {
    case "OK": {
      const [replayed, symbol = "", waitMs, safeQty = "", mode = ""] = rest;
      const verdict = { kind: "ok", planId, symbol, waitMs: Number(waitMs), safeQty, mode } as const;
      return { kind: "verdict", replayed: replayed === "1", verdict };
    }
    case "BLOCKED": {
      const [replayed, symbol = "", waitMs, reason = "", detail = "", ...ttls] = rest;
      const permitTtls = new Map(required.map((issuer, index) => [issuer, Number(ttls[index] ?? -2)]));
      const verdict = {
        kind: "blocked",
        planId,
        symbol,
        waitMs: Number(waitMs),
        reason,
        detail,
        permitTtls,
      } as const;
      return { kind: "verdict", replayed: replayed === "1", verdict };
    }
    case "WAITING":
      return { kind: "waiting", remainingMs: Number(rest[0]), lacking: (rest[1] ?? "").split(",") };
    case "GONE":
      return { kind: "gone" };
    default:
      throw new Error(`permits/consume answered ${String(status)}`);
  }
}
