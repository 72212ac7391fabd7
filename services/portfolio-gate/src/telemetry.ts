/** P2.6's logs and metrics. Names are from docs/wire.md, "Metrics to keep". */
import type { EventEmitter } from "node:events";
import { HARVEST_ACTIONS, P26_REASONS } from "@quantum/contract";
import { type IssuerEvents, observeIssuer } from "@quantum/issuer";
import type { Logger } from "@quantum/service-kit";
import { Counter, Gauge, type Registry } from "prom-client";
import type { GateEvents, PortfolioGate } from "./handler.ts";
import { isUnknown, type Portfolio } from "./portfolio.ts";
import type { PortfolioReader } from "./reader.ts";

export interface TelemetryOptions {
  handlers: EventEmitter<IssuerEvents>;
  gate: PortfolioGate;
  reader: PortfolioReader;
  /** Symbols with their own label. */
  symbols: readonly string[];
  issuer: string;
  registry: Registry;
  log: Logger;
}

export function observe(options: TelemetryOptions): void {
  const { gate, issuer, handlers, symbols, registry, log } = options;
  const known = new Set(symbols);
  const labelOf = (symbol: string) => (known.has(symbol) ? symbol : "other");
  observeIssuer({ handlers, registry, labelOf, issuer, reasons: P26_REASONS, log });
  gauges(options);
  const seen = new Counter({
    name: "p26_plans_seen_total",
    help: "Plans judged, by what they propose",
    labelNames: ["action_proposed"],
    registers: [registry],
  });
  const lowered = new Counter({
    name: "p26_actions_downgraded_total",
    help: "Plans of which less is permitted than they propose, or (to HOLD) nothing, because of a cooldown or a cold portfolio",
    labelNames: ["from_action", "to_action", "reason"],
    registers: [registry],
  });
  const unknown = new Counter({
    name: "p26_fail_closed_total",
    help: "Plans denied because the portfolio is not known, by what is wrong",
    labelNames: ["reason"],
    registers: [registry],
  });
  gate.on("judged", ({ plan, judgement, portfolio }) => {
    const from = actionOf(plan.action);
    seen.inc({ action_proposed: from });
    if (isUnknown(portfolio)) unknown.inc({ reason: portfolio.flaw });
    const to = loweredTo(judgement);
    if (to !== undefined) lowered.inc({ from_action: from, to_action: to, reason: judgement.reason });
  });
}

function actionOf(action: string): string {
  return (HARVEST_ACTIONS as readonly string[]).includes(action) ? action : "other";
}

function loweredTo(judgement: GateEvents["judged"][0]["judgement"]): string | undefined {
  if (judgement.verdict === "capped") return `PARTIAL_${judgement.pct}`;
  return judgement.reason === "portfolio_cooldown" ? "HOLD" : undefined;
}

/** Read when scraped, because the portfolio changes without plans. */
function gauges({ reader, registry }: TelemetryOptions): void {
  const gauge = (name: string, help: string, value: (portfolio: Portfolio) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const portfolio = await reader.portfolio();
        // An unknown value must not be shown as the last known one.
        this.set(isUnknown(portfolio) ? Number.NaN : value(portfolio));
      },
    });
  const unless = "; NaN while the portfolio is not known";
  gauge("p26_stress", `Stress of the portfolio, 0 to 1${unless}`, ({ stress }) => stress);
  gauge("p26_heat", `Volatility weighted by notional, 0 to 1${unless}`, ({ heat }) => heat);
  gauge(
    "p26_concentration",
    `How one-sided the portfolio is: |net| / gross${unless}`,
    ({ concentration }) => concentration,
  );
  gauge("p26_corr_proxy", `Share of the notional on the net side${unless}`, ({ correlation }) => correlation);
  gauge(
    "p26_total_abs_notional",
    `Notional of all positions, in dollars${unless}`,
    ({ grossNotional }) => grossNotional,
  );
}
