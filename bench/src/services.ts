/** Our services on a rig, as the launcher runs them, at a market of many symbols. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Rig } from "./rig.ts";

const KEYS = { BINANCE_TESTNET_API_KEY: "sim-key", BINANCE_TESTNET_API_SECRET: "sim-secret" };
/** The governor counts in 1e-8 of a unit below 2^53. */
const HIGH_LIMIT = "80000000";
const HIGH_COUNT = "1000000";

export function benchSymbols(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `BENCH${String(i).padStart(3, "0")}USDT`);
}

export interface ServicesOptions {
  rig: Rig;
  symbols: readonly string[];
  /** `dry_run` ends with the verdict; `paper` executes at exchange-sim. */
  mode: "dry_run" | "paper";
  replicas?: number;
}

/** exchange-sim, both issuers, the apply-layer and, in paper mode, the executor. @returns the apply-layer's URL */
export async function startServices({ rig, symbols, mode, replicas = 1 }: ServicesOptions): Promise<string> {
  const market = join(rig.redis.dir, "market.json");
  await writeFile(market, JSON.stringify(symbols.map(marketRow)));
  const exchange = await rig.startService("exchange-sim", "EXCHANGE_SIM_PORT", { SIM_MARKET_FILE: market });
  const list = symbols.join();
  const venue = { BINANCE_BASE_URL: exchange, ...KEYS };
  const each = async (start: (instance: Record<string, string>) => Promise<unknown>) => {
    for (let i = 1; i <= replicas; i++) await start({ INSTANCE: `bench-${i}` });
  };
  const named = (name: string, { INSTANCE }: Record<string, string>) =>
    INSTANCE === "bench-1" ? name : `${name} (${INSTANCE})`;
  let applyLayer = "";
  await Promise.all([
    each((instance) =>
      rig.startService(
        "governor",
        "METRICS_PORT",
        {
          ...instance,
          SYMBOLS: list,
          GOV_MAX_EXEC_PER_HOUR: HIGH_COUNT,
          GOV_MAX_EXEC_PER_5MIN: HIGH_COUNT,
          GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: HIGH_LIMIT,
          GOV_MAX_REDUCE_QTY_PER_DAY: HIGH_LIMIT,
        },
        named("governor", instance),
      ),
    ),
    each((instance) =>
      rig.startService(
        "position-brain",
        "P33_METRICS_PORT",
        {
          ...instance,
          ...venue,
          P33_ALLOWLIST: list,
          P33_COOLDOWN_SEC: "0",
        },
        named("position-brain", instance),
      ),
    ),
    each(async (instance) => {
      applyLayer = await startApplyLayer({
        rig,
        symbols,
        mode,
        instance,
        as: named("apply-layer", instance),
      });
    }),
    ...(mode === "paper" ? [rig.startService("executor", "EXECUTOR_METRICS_PORT", venue)] : []),
  ]);
  return applyLayer;
}

export interface ApplyLayerOptions {
  rig: Rig;
  symbols: readonly string[];
  mode?: "dry_run" | "paper";
  instance?: Record<string, string>;
  as?: string;
  env?: Record<string, string>;
}

export async function startApplyLayer(options: ApplyLayerOptions): Promise<string> {
  const { rig, symbols, mode = "dry_run", instance = {}, as = "apply-layer", env = {} } = options;
  const list = symbols.join();
  return rig.startService(
    "apply-layer",
    "APPLY_METRICS_PORT",
    {
      ...instance,
      APPLY_MODE: mode,
      SYMBOLS: list,
      APPLY_ALLOWLIST: list,
      ...env,
    },
    as,
  );
}

/** A position that four plans at a quarter each may close at once, and that no case can use up. */
function marketRow(symbol: string) {
  return {
    symbol,
    price: "1.0000",
    positionAmt: "10000",
    entryPrice: "1.0000",
    stepSize: "0.001",
    minQty: "0.001",
    minNotional: "5",
    tickSize: "0.0001",
    leverage: "5",
  };
}
