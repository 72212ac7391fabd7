/** The poll loop as a contender. */
import { createKeys } from "@quantum/contract";
import type { Contender } from "../contender.ts";
import type { Rig } from "../rig.ts";
import { field, StreamReader } from "../stream-reader.ts";

export const POLL_STREAMS = { work: "bench:poll:work", verdicts: "bench:poll:verdicts" } as const;

const keys = createKeys();
const PERMIT_TTL_SEC = 60;

export interface PollLoopOptions {
  rig: Rig;
  symbols: readonly string[];
  /** No issuer runs. This process sets the governor's key at once and P3.3's on `release`. */
  drivesIssuers: boolean;
}

export async function startPollLoop({ rig, symbols, drivesIssuers }: PollLoopOptions): Promise<Contender> {
  const { client } = rig;
  const start = () => rig.startProgram("poll-loop", "bench/src/peers/poll-loop-process.ts", {});
  await start();
  // Plan ids have 16 hex digits; this leaves a million of them for a run.
  const run = BigInt(Date.now()) << 20n;
  const idOf = (index: number) => (run + BigInt(index)).toString(16).padStart(16, "0");
  const set = (issuer: string, index: number) => {
    const permit = JSON.stringify({ granted: true, allow: true, symbol: symbols[0], safe_qty: 1 });
    void client.set(keys.permit(issuer, idOf(index)), permit, "EX", PERMIT_TTL_SEC);
  };
  const underWay = new Map<string, string>();
  // Its result ends P3.3's reservation for the plan.
  const end = (id: string, ok: boolean) => {
    const symbol = underWay.get(id);
    underWay.delete(id);
    if (symbol !== undefined && !drivesIssuers)
      void client.xadd(keys.streams.result, "*", ...resultFields(id, symbol, ok));
  };
  const reader = await StreamReader.open(rig.url, POLL_STREAMS.verdicts, (_, fields) => {
    end(field(fields, "plan_id"), field(fields, "ok") === "true");
    const index = Number(BigInt(`0x${field(fields, "plan_id")}`) - run);
    contender.onVerdict(index, field(fields, "ok") === "true", Number(field(fields, "at_ms")));
  });
  const contender: Contender = {
    name: "poll loop",
    publish(index) {
      const [id, symbol] = [idOf(index), symbols[index % symbols.length] ?? ""];
      underWay.set(id, symbol);
      void client.xadd(POLL_STREAMS.work, "*", ...planFields(id, symbol));
      if (drivesIssuers) set("governor", index);
    },
    release: (index) => set("p33", index),
    onVerdict: () => undefined,
    async clear() {
      await rig.stopProgram("poll-loop");
      for (const id of [...underWay.keys()]) end(id, false);
      await start();
    },
    stop: () => reader.stop(),
  };
  return contender;
}

function resultFields(planId: string, symbol: string, ok: boolean): string[] {
  const fields = {
    plan_id: planId,
    symbol,
    decision: ok ? "EXECUTE" : "BLOCKED",
    executed: "False",
    would_execute: ok ? "True" : "False",
    steps_results: "[]",
    error: ok ? "" : "missing_both",
    timestamp: String(Math.floor(Date.now() / 1000)),
  };
  return Object.entries(fields).flat();
}

function planFields(planId: string, symbol: string): string[] {
  const step = { step: "CLOSE_PARTIAL_25", type: "market_reduce_only", side: "close", pct: 25 };
  const fields = {
    plan_id: planId,
    symbol,
    action: "PARTIAL_25",
    kill_score: "0.5",
    k_regime_flip: "0.0",
    k_sigma_spike: "0.14",
    k_ts_drop: "0.05",
    k_age_penalty: "0.04",
    new_sl_proposed: "100.2",
    R_net: "7.01",
    decision: "EXECUTE",
    reason_codes: "",
    steps: JSON.stringify([step]),
    close_qty: "0.0",
    price: "",
    timestamp: String(Math.floor(Date.now() / 1000)),
  };
  return Object.entries(fields).flat();
}
