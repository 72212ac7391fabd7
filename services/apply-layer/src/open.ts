/**
 * The typed wrapper of `lua/plans/open.lua`: opens a decided proposal as a plan that waits, has ended, or is a
 * duplicate.
 */
import {
  type Decision,
  dumpPythonJson,
  flatFields,
  formatPythonFloat,
  type Keys,
  planId,
  type Proposal,
  PythonFloat,
  TTL_SEC,
} from "@quantum/contract";
import { haltKeys } from "@quantum/permits";
import { bindScript, type RedisClient } from "@quantum/redis";
import { type Decided, legible } from "./decide.ts";

const run = bindScript("plans/open");

export type Opened =
  /** The plan waits; its deadline is in `remainingMs`. */
  | { kind: "opened"; planId: string; attempt: string; remainingMs: number }
  /** Published together with its terminal result. */
  | { kind: "ended"; planId: string; decision: Decision; reason: string }
  /** The plan exists already. If it is waiting, any process may watch it. */
  | { kind: "duplicate"; planId: string; state: string; remainingMs: number };

export interface OpenOptions {
  redis: RedisClient;
  keys: Keys;
  /**
   * Issuers whose permits and blocks from an earlier attempt are deleted. Excludes issuers that write before the plan
   * is opened.
   */
  required: readonly string[];
  mode: string;
  waitMs: number;
  dedupeTtlSec: number;
}

/** @param proposedMs the earliest time at which the plan may have been opened before, if known */
export type Open = (proposal: Proposal, decided: Decided, proposedMs?: number) => Promise<Opened>;

export function createOpen(options: OpenOptions): Open {
  const { redis, keys, required } = options;
  return async (proposal, decided, proposedMs) => {
    const id = planId(proposal);
    const { symbol } = proposal;
    const [status, ...rest] = await run(redis, {
      keys: {
        plan: keys.plan(id),
        dedupe: keys.dedupe(id),
        published: keys.published(id),
        spent: keys.spent(id),
        order: keys.order(id),
        waiting: keys.waiting(symbol),
        symbols: keys.waitingSymbols,
        plans: keys.streams.plan,
        results: keys.streams.result,
        ...haltKeys(redis, keys),
      },
      restKeys: required.flatMap((issuer) => [keys.permit(issuer, id), keys.block(issuer, id)]),
      args: {
        plan_id: id,
        symbol,
        decision: decided.decision,
        reason: decided.reason,
        mode: options.mode,
        wait_ms: String(options.waitMs),
        dedupe_sec: String(options.dedupeTtlSec),
        published_sec: String(TTL_SEC.published),
        record_sec: String(TTL_SEC.plan),
        step: decided.close?.step ?? "",
        close_pct: String(decided.close?.pct ?? ""),
        proposed_ms: String(proposedMs ?? ""),
        fresh_ms: String(decided.fresh?.proposedMs ?? ""),
        max_age_ms: String(decided.fresh?.maxAgeMs ?? 0),
      },
      restArgs: flatFields(planFields(id, proposal, decided)),
    });
    return parseReply(id, status, rest);
  };
}

function parseReply(id: string, status: string | undefined, rest: readonly string[]): Opened {
  const remaining = (deadline = "", now = "") => (deadline === "" ? 0 : Number(deadline) - Number(now));
  switch (status) {
    case "OPENED":
      return { kind: "opened", planId: id, attempt: rest[0] ?? "", remainingMs: remaining(rest[2], rest[3]) };
    case "ENDED":
      return { kind: "ended", planId: id, decision: rest[1] as Decision, reason: rest[2] ?? "" };
    case "DUPLICATE":
      return {
        kind: "duplicate",
        planId: id,
        state: rest[0] ?? "",
        remainingMs: remaining(rest[2], rest[3]),
      };
    default:
      throw new Error(`plans/open answered ${String(status)}`);
  }
}

/**
 * The fields of the `apply.plan` entry, in the order of docs/wire.md, "Streams". The script adds decision, reason_codes
 * and timestamp.
 */
function planFields(id: string, proposal: Proposal, decided: Decided): Record<string, string> {
  const float = (value: number | undefined) => (value === undefined ? "" : formatPythonFloat(value));
  const steps = [decided.close ?? []].flat().map(({ step, pct }) => {
    return { step, type: "market_reduce_only", side: "close", pct: new PythonFloat(pct) };
  });
  return {
    plan_id: id,
    symbol: proposal.symbol,
    action: legible(proposal.harvestAction),
    kill_score: formatPythonFloat(proposal.killScore),
    k_regime_flip: float(proposal.kRegimeFlip ?? 0),
    k_sigma_spike: float(proposal.kSigmaSpike ?? 0),
    k_ts_drop: float(proposal.kTsDrop ?? 0),
    k_age_penalty: float(proposal.kAgePenalty ?? 0),
    // The Python apply-layer takes 0 as "none", so this does too.
    new_sl_proposed: float(proposal.newSlProposed === 0 ? undefined : proposal.newSlProposed),
    R_net: float(proposal.rNet),
    decision: "",
    reason_codes: "",
    steps: dumpPythonJson(steps),
    close_qty: "0.0",
    price: "",
    timestamp: "",
  };
}
