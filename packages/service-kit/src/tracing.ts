/** OpenTelemetry traces: off by default, and then nothing of OpenTelemetry is loaded. */
import { traceIdOf } from "@quantum/contract";
import type { Logger } from "pino";
import type { Traces } from "./stages.ts";
import { isTracing, type TracingConfig } from "./tracing-config.ts";

export async function startTraces(
  config: TracingConfig,
  source: { service: string; instance: string; log: Logger },
): Promise<Traces | undefined> {
  if (!isTracing(config)) return undefined;
  const { createTraces } = await import("./otlp.ts");
  return createTraces(config, source);
}

const PLAN_ID = /^[0-9a-f]{16}$/;

/** For pino's `mixin`: a line about a plan says its trace. */
export function traceOfLine(line: object): { trace_id?: string } {
  const { plan, planId = plan } = line as { plan?: unknown; planId?: unknown };
  return typeof planId === "string" && PLAN_ID.test(planId) ? { trace_id: traceIdOf(planId) } : {};
}
