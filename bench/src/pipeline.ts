/** Our pipeline as a contender: proposals enter through its stream, and verdicts are read from its result stream. */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys, planId } from "@quantum/contract";
import { createIssuer } from "@quantum/permits";
import type { Contender } from "./contender.ts";
import { monotonicMs } from "./clock.ts";
import type { Rig } from "./rig.ts";
import { connectForCommands, disconnect } from "@quantum/redis";
import { field, type RawFields, StreamReader } from "./stream-reader.ts";

const keys = createKeys();
/** The issuers' defaults. */
const PERMIT_TTL_SEC = 60;
const RESERVE_TTL_MS = 120_000;
/** Longer than a plan waits for its permits by default. */
const CLEAR_MS = 2_000;
const KILL_SCORE = 0.5;
const ACTION = "PARTIAL_25";

/** What a driven issuer grants. In dry_run no quantity is executed. */
const GOVERNOR_PERMIT = { decision: "EXECUTE", computed_qty: 0 };
const P33_PERMIT = {
  safe_close_qty: 1,
  safe_qty: 1,
  exchange_position_amt: 4,
  ledger_amt: 4,
  reason: "bench",
};

interface Options {
  rig: Rig;
  symbols: readonly string[];
  /** No issuer runs. This process grants the governor's permit at once and P3.3's on `release`. */
  drivesIssuers: boolean;
  /** Into which its services divide the symbols. Default 1, which a driven issuer needs. */
  partitions?: number;
  /** When a plan counts as done: at its verdict, or when its order is settled. */
  until: "verdict" | "settled";
}

export async function startPipeline(options: Options): Promise<Contender> {
  const { rig, symbols, drivesIssuers, partitions = 1 } = options;
  const { client } = rig;
  const indexes = new Map<string, number>();
  const attempts = new Map<number, { planId: string; symbol: string; attempt: string }>();
  const overdue = new Set<number>();
  const run = Date.now();
  const issuer = (name: string) =>
    createIssuer({
      redis: client,
      keys,
      issuer: name,
      group: name,
      permitTtlSec: PERMIT_TTL_SEC,
      denialTtlSec: PERMIT_TTL_SEC,
      reserveTtlMs: RESERVE_TTL_MS,
    });
  const governor = issuer("governor");
  const p33 = issuer("p33");
  const grant = (index: number) => {
    const attempt = attempts.get(index);
    if (attempt === undefined) {
      overdue.add(index);
      return;
    }
    attempts.delete(index);
    void p33.issue(attempt, { verdict: "granted", reason: "bench", permit: P33_PERMIT });
  };

  const onResult = (_id: string, fields: RawFields) => {
    const plan = field(fields, "plan_id");
    const index = indexes.get(plan);
    if (index === undefined) return;
    indexes.delete(plan);
    const ok = options.until === "settled" ? "executed" : "would_execute";
    contender.onVerdict(index, field(fields, ok) === "True", monotonicMs());
  };
  const readers = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => {
      const { streams } = partitions === 1 ? keys : createKeys({ partition });
      return StreamReader.open(rig.url, streams.result, onResult);
    }),
  );
  const proposals = connectForCommands({
    url: rig.url,
    slotOf: keys.streams.proposal,
    name: "bench:proposals",
    onError: () => undefined,
  });
  if (drivesIssuers) {
    readers.push(
      await StreamReader.open(rig.url, keys.streams.plan, (attempt, fields) => {
        const plan = field(fields, "plan_id");
        const index = indexes.get(plan);
        if (index === undefined || field(fields, "decision") !== "EXECUTE") return;
        const opened = { planId: plan, symbol: field(fields, "symbol"), attempt };
        attempts.set(index, opened);
        void governor.issue(opened, { verdict: "granted", reason: "bench", permit: GOVERNOR_PERMIT });
        if (overdue.delete(index)) grant(index);
      }),
    );
  }

  const contender: Contender = {
    name: "pipeline",
    publish(index) {
      const symbol = symbols[index % symbols.length] ?? "";
      // A different proposed stop makes each proposal a different plan.
      const stop = run + index;
      const computedAtUtc = new Date().toISOString();
      const identity = {
        symbol,
        harvestAction: ACTION,
        killScore: KILL_SCORE,
        newSlProposed: stop,
        computedAtUtc,
      };
      indexes.set(planId(identity), index);
      void proposals.xadd(keys.streams.proposal, "*", ...proposalFields(symbol, stop, computedAtUtc));
    },
    release: grant,
    onVerdict: () => undefined,
    // Waiting plans end at their deadline.
    clear: () => delay(CLEAR_MS),
    stop: async () => {
      await Promise.all([...readers.map((reader) => reader.stop()), disconnect(proposals)]);
    },
  };
  return contender;
}

/** All fields that the Python publisher writes. */
function proposalFields(symbol: string, stop: number, computedAtUtc: string): string[] {
  const fields = {
    symbol,
    harvest_action: ACTION,
    new_sl_proposed: stop,
    R_net: 7.01,
    risk_unit: 0.69,
    cost_est: 0.1,
    kill_score: KILL_SCORE,
    reason_codes: "harvest_partial_25,profit_lock",
    k_regime_flip: 0,
    k_sigma_spike: 0.14,
    k_ts_drop: 0.05,
    k_age_penalty: 0.04,
    computed_at_utc: computedAtUtc,
    last_update_epoch: Math.floor(Date.now() / 1000),
  };
  return Object.entries(fields).flatMap(([name, value]) => [name, String(value)]);
}
