/** The governor's logs and metrics, from its events. Names are from docs/wire.md, "Metrics to keep". */
import type { EventEmitter } from "node:events";
import { GOVERNOR_REASONS, utcDay } from "@quantum/contract";
import { type IssuerEvents, observeAnswers } from "@quantum/issuer";
import { redisNow } from "@quantum/redis";
import type { Logger, Partitions } from "@quantum/service-kit";
import { Counter, type Registry } from "prom-client";
import type { Rules } from "./decide.ts";
import type { Governor } from "./handler.ts";
import { gaugeLimits } from "./limit-gauges.ts";

export interface TelemetryOptions {
  handlers: EventEmitter<IssuerEvents>;
  governor: Governor;
  rules: Rules;
  /** Symbols with their own label. */
  symbols: readonly string[];
  issuer: string;
  partitions: Partitions;
  registry: Registry;
  log: Logger;
}

export function observe(options: TelemetryOptions): void {
  const { handlers, governor, partitions, registry, log } = options;
  const known = new Set(options.symbols);
  const labelOf = (symbol: string) => (known.has(symbol) ? symbol : "other");
  observeAnswers({
    handlers,
    registry,
    labelOf,
    names: { granted: "quantum_govern_allow_total", denied: "quantum_govern_block_total" },
    reasons: GOVERNOR_REASONS,
    lines: {
      granted: ({ plan: { symbol, plan_id: plan } }) =>
        log.info({ plan, symbol }, `${symbol}: ALLOW plan ${plan} (permit issued)`),
      denied: ({ plan: { symbol, plan_id: plan } }, { reason, context }) =>
        log.warn(
          { plan, symbol, reason, context },
          `${symbol}: BLOCK plan ${plan} reason=${reason} (no permit)`,
        ),
      unneeded: ({ plan: { symbol, plan_id: plan }, issued: { kind } }) =>
        log.debug({ plan, symbol, kind }, `${symbol}: Plan ${plan} no longer needs an answer`),
    },
  });
  const disarmed = new Counter({
    name: "quantum_govern_disarm_total",
    help: "Disarms by this governor, by reason",
    labelNames: ["reason"],
    registers: [registry],
  });
  gaugeLimits(options);

  handlers.on("settled", ({ result: { symbol, plan_id: plan, executed }, before }) => {
    log.debug({ symbol, plan, executed, before }, `${symbol}: Reservation of plan ${plan} settled`);
  });
  governor.on("evaluationFailed", ({ plan: { symbol, plan_id: plan }, error }) => {
    log.error({ err: error, symbol, plan }, `${symbol}: Plan ${plan} cannot be evaluated`);
  });
  governor.on("disarmed", ({ reason, context }) => {
    disarmed.inc({ reason });
    const { keys, redis } = partitions.account;
    // In a cluster, one command takes the keys of one slot only.
    const rearm =
      partitions.all.length === 1
        ? `DEL ${keys.disarm} ${keys.disarmOf(utcDay(redisNow(redis)))} in redis-cli`
        : "permitctl disarm clear";
    log.error(
      { reason, context, rearm: rearm.replace(" in redis-cli", "") },
      `AUTO_DISARM reason=${reason}: no permit is granted until an operator runs ${rearm}`,
    );
  });
  governor.on("disarmFailed", ({ partition: { name: partition }, error }) => {
    log.error({ err: error, partition }, "failed to disarm, trying again");
  });
  governor.on("disarmReached", ({ partition: { name: partition } }) => {
    log.error({ partition }, "the disarm that had failed has come about");
  });
}
