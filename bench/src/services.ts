/** Runs our services on a rig like the launcher does, with a market of many symbols. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { demonstrationOf, type Environment, PIPELINE, type ServiceName, serviceOf } from "@quantum/topology";
import { makeRunKeys } from "@quantum/harness";
import type { Rig } from "./rig.ts";

export function benchSymbols(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `BENCH${String(i).padStart(3, "0")}USDT`);
}

export interface ServicesOptions {
  rig: Rig;
  symbols: readonly string[];
  /** `dry_run` ends with the verdict; `paper` executes at exchange-sim. */
  mode: "dry_run" | "paper";
  replicas?: number;
  /** APPLY_PERMIT_WAIT_MS. Default: the service's own. */
  waitMs?: number;
  /** PARTITIONS. Default 1. */
  partitions?: number;
  /** The exchange has the venue's limits. Default false: our own costs are measured, at rates that they would forbid. */
  hasLimits?: boolean;
}

/**
 * Starts exchange-sim, both issuers, the apply-layer and, in paper mode, the executor.
 * @returns the URL of each
 */
export async function startServices(options: ServicesOptions): Promise<ReadonlyMap<ServiceName, string>> {
  const { rig, symbols, mode, replicas = 1, partitions = 1, waitMs, hasLimits = false } = options;
  const market = join(rig.dir, "market.json");
  await writeFile(market, JSON.stringify(symbols.map(marketRow)));
  const venue = { SIM_MARKET_FILE: market, SIM_LIMITS: hasLimits ? "on" : "off" };
  const venueUrl = await rig.startService("exchange-sim", venue);
  const keysFolder = await makeRunKeys(join(rig.dir, "keys"));
  const applyLayer = {
    APPLY_MODE: mode,
    ...(waitMs !== undefined && { APPLY_PERMIT_WAIT_MS: String(waitMs) }),
  };
  const started = PIPELINE.filter(({ name }) => name !== "executor" || mode === "paper");
  const urls = await Promise.all(
    started.map(async (service): Promise<[ServiceName, string]> => {
      const { name } = service;
      const stateFolder = join(rig.dir, `${name}.state`);
      const place = { redisUrl: rig.url, venueUrl, symbols, keysFolder, stateFolder };
      const env = { ...demonstrationOf(service, place), PARTITIONS: String(partitions) };
      // Replicas are not measured with orders.
      const count = name === "executor" ? 1 : replicas;
      let url = "";
      for (let i = 1; i <= count; i++) {
        const own = { ...env, INSTANCE: `bench-${i}`, ...(name === "apply-layer" && applyLayer) };
        url = await rig.startService(name, own, i === 1 ? name : `${name} (bench-${i})`);
      }
      return [name, url];
    }),
  );
  return new Map([["exchange-sim", venueUrl], ...urls]);
}

export interface ApplyLayerOptions {
  rig: Rig;
  symbols: readonly string[];
  env?: Environment;
}

/** Starts only the apply-layer, in dry-run mode. */
export async function startApplyLayer({ rig, symbols, env = {} }: ApplyLayerOptions): Promise<string> {
  const stateFolder = join(rig.dir, "state");
  const place = { redisUrl: rig.url, venueUrl: undefined, symbols, keysFolder: undefined, stateFolder };
  const own = { ...demonstrationOf(serviceOf("apply-layer"), place), APPLY_MODE: "dry_run", ...env };
  return rig.startService("apply-layer", own);
}

/** A position that four plans may close at once, a quarter each, and that no case can use up. */
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
