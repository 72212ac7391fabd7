import { HARVEST_ACTIONS } from "@quantum/contract";
import type { Logger } from "@quantum/service-kit";
import { Counter, Gauge, type Registry } from "prom-client";
import type { Feed } from "./feed.ts";

const ACTIONS = new Set<string>(HARVEST_ACTIONS);

/** @param symbols the configuration's or the file's symbols: a closed set, used as labels */
export interface Observed {
  feed: Feed;
  symbols: readonly string[];
  registry: Registry;
  log: Logger;
}

export function observe({ feed, symbols, registry, log }: Observed): void {
  const proposals = new Counter({
    name: "quantum_feed_proposals_total",
    help: "Proposals published",
    labelNames: ["symbol", "action"],
    registers: [registry],
  });
  const overdue = new Counter({
    name: "quantum_feed_results_overdue_total",
    help: "Plans whose result did not arrive in time",
    labelNames: ["symbol"],
    registers: [registry],
  });
  new Gauge({
    name: "quantum_feed_in_flight",
    help: "Plans that were proposed and have no result yet",
    labelNames: ["symbol"],
    registers: [registry],
    collect() {
      for (const symbol of symbols) this.set({ symbol }, feed.inFlight(symbol));
    },
  });

  feed.on("published", ({ symbol, action, planId }) => {
    proposals.inc({ symbol, action: ACTIONS.has(action) ? action : "other" });
    log.info({ symbol, action, plan: planId }, `${symbol}: proposed ${action}`);
  });
  feed.on("overdue", ({ symbol, planId }) => {
    overdue.inc({ symbol });
    log.warn({ symbol, plan: planId }, `${symbol}: no result in time, no longer waiting for it`);
  });
  feed.on("done", ({ published }) => log.info({ published }, "feed done"));
  feed.on("failed", ({ doing, error }) => log.error({ err: error }, `failed to ${doing}, trying again`));
}
