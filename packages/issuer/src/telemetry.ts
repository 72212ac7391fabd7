/** An issuer's logs and metrics, from the events of its handlers. */
import type { EventEmitter } from "node:events";
import type { Logger, Stages } from "@quantum/service-kit";
import { addedAtMs } from "@quantum/streams";
import { Counter, type Registry } from "prom-client";
import type { IssuerEvents } from "./handlers.ts";
import type { Decision } from "./policy.ts";

type Answered = IssuerEvents["answered"][0];
type Granted = Extract<Decision, { verdict: "granted" }>;

/** The log lines for an answer. */
export interface AnswerLines {
  granted(answered: Answered): void;
  /** `context` belongs to the denial; undefined if the script denied what the policy granted. */
  denied(answered: Answered, denial: { reason: string; context: unknown }): void;
  /** The plan was answered before, or has ended. */
  unneeded(answered: Answered): void;
}

export interface Observed {
  handlers: EventEmitter<IssuerEvents>;
  registry: Registry;
  /** The metric label of a symbol: its name, or `other`. */
  labelOf: (symbol: string) => string;
}

export interface ObservedAnswers extends Observed {
  /** Names of the two counters. */
  names: { granted: string; denied: string };
  /** The closed set of reasons; any other reason is labelled `other`. */
  reasons: readonly string[];
  lines: AnswerLines;
}

export function observeAnswers(observed: ObservedAnswers): void {
  const { handlers, registry, labelOf, names, lines } = observed;
  const reasons = new Set(observed.reasons);
  const granted = new Counter({
    name: names.granted,
    help: "Permits granted",
    labelNames: ["symbol"],
    registers: [registry],
  });
  const denied = new Counter({
    name: names.denied,
    help: "Permits denied, by reason",
    labelNames: ["symbol", "reason"],
    registers: [registry],
  });
  handlers.on("answered", (answered) => {
    const { plan, decision, issued } = answered;
    const symbol = labelOf(plan.symbol);
    if (issued.kind === "granted") {
      granted.inc({ symbol });
      lines.granted(answered);
    } else if (issued.kind === "denied") {
      const { reason } = issued;
      denied.inc({ symbol, reason: reasons.has(reason) ? reason : "other" });
      const context = decision.verdict === "denied" ? decision.context : undefined;
      lines.denied(answered, { reason, context });
    } else {
      lines.unneeded(answered);
    }
  });
}

/** Times every issuer's answers, whatever its telemetry. `now` is the clock of the symbol's partition. */
export function timeAnswers(
  handlers: EventEmitter<IssuerEvents>,
  { issuer, stages, now }: { issuer: string; stages: Stages; now: (symbol: string) => number },
): void {
  handlers.on("answered", ({ plan, attempt, issued, tookMs }) => {
    if (issued.kind !== "granted" && issued.kind !== "denied") return;
    stages.passed({
      planId: plan.plan_id,
      attempt,
      stage: "permit",
      issuer,
      fromMs: addedAtMs(attempt),
      toMs: now(plan.symbol),
      attributes: {
        "quantum.symbol": plan.symbol,
        "quantum.verdict": issued.kind,
        ...(issued.kind === "denied" && { "quantum.reason": issued.reason }),
        // The rest of the time the plan waited to be read.
        "quantum.took_ms": tookMs.toFixed(1),
      },
    });
  });
}

/** The default telemetry: metrics prefixed with the issuer's name, and one log line per answer. */
export function observeIssuer(
  observed: Observed & { issuer: string; reasons: readonly string[]; log: Logger },
): void {
  const { handlers, registry, labelOf, issuer, log } = observed;
  const at = ({ plan: { plan_id: plan, symbol }, tookMs }: Answered) => ({ plan, symbol, tookMs });
  observeAnswers({
    ...observed,
    names: { granted: `${issuer}_permit_allow_total`, denied: `${issuer}_permit_deny_total` },
    lines: {
      granted: (answered) => {
        const { told } = answered.decision as Granted;
        const { plan, symbol, tookMs } = at(answered);
        log.info({ plan, symbol, ...told, tookMs }, `${symbol}: ${issuer} ALLOW plan ${plan}`);
      },
      denied: (answered, denial) => {
        const { plan, symbol, tookMs } = at(answered);
        log.info(
          { plan, symbol, ...denial, tookMs },
          `${symbol}: ${issuer} DENY plan ${plan} reason=${denial.reason} (no permit)`,
        );
      },
      unneeded: ({ plan: { plan_id: plan, symbol }, issued }) =>
        log.debug({ plan, symbol, issued: issued.kind }, "plan was answered before, or has ended"),
    },
  });
  const settled = new Counter({
    name: `${issuer}_results_settled_total`,
    help: "Results whose reservation has ended",
    labelNames: ["symbol"],
    registers: [registry],
  });
  handlers.on("dropped", ({ plan: { plan_id: plan, symbol } }) =>
    log.warn({ plan, symbol }, "simulation: the plan gets no answer"),
  );
  handlers.on("settled", ({ result: { plan_id: plan, symbol }, before, tookMs }) => {
    settled.inc({ symbol: labelOf(symbol) });
    log.debug({ plan, symbol, before, tookMs }, "result settled");
  });
}
