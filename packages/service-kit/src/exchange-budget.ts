/**
 * The exchange's limits, shared by all processes through Redis (`lua/exchange/budget.lua`). Each process draws a block
 * every second, when its block is half spent, and when a window ends, so no request waits for Redis.
 */
import { randomUUID } from "node:crypto";
import type { Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";

const runBudget = bindScript("exchange/budget");

const DRAW_EVERY_MS = 1_000;
/** Redis's window ends a moment before ours: a block that is drawn too early would be of the old one. */
const WINDOW_MARGIN_MS = 2;
/** Windows that have just ended must not make it draw in a loop. */
const DRAW_PAUSE_MS = 20;

/** The limits of packages/exchange. */
const KINDS = ["weight_1m", "orders_1m", "orders_10s"] as const;
type Kind = (typeof KINDS)[number];

interface Draw {
  readonly kind: Kind;
  readonly windowMs: number;
  readonly window: number | undefined;
  readonly limit: number;
  readonly ceiling: number;
  readonly spent: number;
  readonly isHolder: boolean;
  readonly wanted: number;
  readonly reported: number;
}

/** The `Budget` of packages/exchange. */
interface LocalBudget {
  onLow: (() => Promise<void>) | undefined;
  readonly nextWindowMs: number;
  draws: () => Draw[];
  drawn: (draw: Draw, drawn: { window: number; leftMs: number; held: number; others: number }) => void;
  peak: (kind: Kind) => number;
}

interface Shared {
  budget: LocalBudget;
  redis: RedisClient;
  keys: Keys;
  /** Names the IP address for which the exchange counts weight. */
  egress: string;
  /** Names the account for which it counts orders. */
  account: string;
  /** This process, among those of the pipeline. */
  instance: string;
  log: Pick<Logger, "error">;
}

/**
 * Resolves once the budget is shared.
 * @returns a function that stops it
 */
export async function shareExchangeBudget({
  budget,
  redis,
  keys,
  egress,
  account,
  instance,
  log,
}: Shared): Promise<() => void> {
  // What an earlier run of this process has spent still counts.
  const process = `${instance}#${randomUUID()}`;
  let timer: NodeJS.Timeout | undefined;
  let drawing: Promise<void> | undefined;
  let isStopped = false;
  let hasFailed = false;

  const draw = async (wish: Draw) => {
    const [, held, others, window, leftMs] = await runBudget(redis, {
      keys: { budget: keys.exchangeBudget(wish.kind, wish.kind === "weight_1m" ? egress : account) },
      args: {
        process,
        window_ms: String(wish.windowMs),
        told_window: wish.window === undefined ? "" : String(wish.window),
        limit: String(wish.limit),
        ceiling: String(wish.ceiling),
        spent: String(wish.spent),
        holds: wish.isHolder ? "1" : "0",
        wanted: String(wish.wanted),
        reported: String(wish.reported),
      },
    });
    budget.drawn(wish, {
      held: Number(held),
      others: Number(others),
      window: Number(window),
      leftMs: Number(leftMs),
    });
  };
  const drawAll = async () => {
    clearTimeout(timer);
    try {
      await Promise.all(budget.draws().map(draw));
      hasFailed = false;
    } catch (error) {
      // Readiness reports an outage of Redis. Anything else would otherwise be silent, so say it once.
      if (!hasFailed && !isStopped)
        log.error({ err: error }, "failed to share the use of the exchange's limits");
      hasFailed = true;
    }
    if (isStopped) return;
    const nextMs = Math.min(DRAW_EVERY_MS, budget.nextWindowMs + WINDOW_MARGIN_MS);
    timer = setTimeout(() => void drawOnce(), Math.max(DRAW_PAUSE_MS, nextMs)).unref();
  };
  /** One draw at a time: whoever asks for one meanwhile gets the same. */
  const drawOnce = async (): Promise<void> => {
    if (isStopped) return;
    drawing ??= drawAll().finally(() => (drawing = undefined));
    await drawing;
  };
  budget.onLow = drawOnce;
  await drawOnce();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

interface Observed {
  budget: LocalBudget;
  registry: Registry;
}

export function observeExchangeBudget({ budget, registry }: Observed): void {
  new Gauge({
    name: "quantum_exchange_budget_used",
    help: "The highest use of a limit of the exchange within the last one to two minutes, by everyone at this address or account, as a share of the limit; 0 without a limit",
    labelNames: ["kind"],
    registers: [registry],
    collect() {
      for (const kind of KINDS) this.set({ kind }, budget.peak(kind));
    },
  });
}
