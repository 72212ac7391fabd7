/** A pipeline in trouble, as `readOverview` tells it. */
import type { Overview } from "@quantum/operator";

const NOW_MS = Date.parse("2026-11-27T03:45:30Z");
const MINUTE_MS = 60_000;

export interface OverviewOptions {
  symbols: readonly string[];
  /** Of the kill switch, and of what each symbol's last plan ended by. */
  reason: string;
  /** Whether the governor has told its limits. */
  caps?: boolean;
}

export function overview({ symbols, reason, caps = true }: OverviewOptions): Overview {
  return {
    atMs: NOW_MS,
    redis: { url: "redis://127.0.0.1:6379", version: "7.0.15", notDurable: [] },
    killSwitch: { on: true, value: "1", text: `by alice@host: ${reason}` },
    killRecord: { who: "alice@host", atMs: NOW_MS - 5 * MINUTE_MS, reason },
    disarm: null,
    exit: {
      state: { keys: 2, atMs: NOW_MS, drilledAtMs: undefined, drilledBy: "" },
      armed: true,
      text: "2 keys; never drilled",
    },
    pauses: [],
    symbols: symbols.map((symbol, index) => ({
      symbol,
      waiting: 0,
      unsettled: 0,
      inDoubt: [],
      hold: null,
      unfulfilled: {
        symbol,
        sinceMs: NOW_MS - (index + 1) * MINUTE_MS,
        positionAmt: "1000.0",
        last: `BLOCKED ${reason}`,
      },
      limits: {
        executionsHour: 12,
        executions5min: 3,
        chargedQty: "0.046",
        chargedNotional: "4828.8868",
        reservedQty: "4100",
        reservedNotional: "50.4095",
      },
      caps: caps
        ? { executionsHour: "100", executions5min: "30", notionalDay: "100000", qtyDay: "50000" }
        : { executionsHour: "", executions5min: "", notionalDay: "", qtyDay: "" },
    })),
    waiting: [],
    moreWaiting: 0,
    services: [
      service("apply-layer@here:8043", { ready: true, problems: [] }),
      service("governor@a:8044"),
      service("executor@b:8049", { ready: false, problems: ["the exchange gave no answer"] }),
    ],
    groups: ["governor", "p33"].map((group) => ({
      stream: "quantum:stream:apply.plan",
      group,
      lag: 0,
      pending: 0,
      oldestIdleMs: 0,
      consumers: [`${group}@a:1`],
    })),
    lastOk: {
      kind: "ok",
      planId: "67e6da21fa9fe506",
      symbol: "BTCUSDT",
      waitMs: 7,
      safeQty: "0.008",
      atMs: NOW_MS - MINUTE_MS,
      reason: "",
    },
    lastBlock: undefined,
    deadLetters: 0,
    silent: [],
  };
}

function service(
  instance: string,
  probe?: { ready: boolean; problems: string[]; note?: string },
): Overview["services"][number] {
  return {
    service: instance.slice(0, instance.indexOf("@")),
    instance,
    alive: true,
    probe: probe && { note: "", ...probe, build: { version: "0.1.0", commit: "abc" } },
  };
}
