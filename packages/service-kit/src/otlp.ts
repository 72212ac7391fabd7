/**
 * Traces by OpenTelemetry's SDK, exported by OTLP over HTTP. Loaded only if tracing is on (tracing.ts). A plan's spans are
 * made after the fact, from the times that the histograms have too, so nothing on a plan's path waits for them.
 */
import {
  type Context,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { type ExportResult, ExportResultCode, setGlobalErrorHandler } from "@opentelemetry/core";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { spanIdOf, traceIdOf } from "@quantum/contract";
import type { Logger } from "pino";
import { build } from "./build.ts";
import type { Period, Traces } from "./stages.ts";
import type { TracingConfig } from "./tracing-config.ts";

/** A receiver that does not answer must not delay a stop until it is forced. */
const STOP_MAX_MS = 2_000;
const SCOPE = "quantum";
/** Name of the root; it is the plan's attempt as a whole. */
const ROOT = "plan";

export async function createTraces(
  config: TracingConfig,
  { service, instance, log }: { service: string; instance: string; log: Logger },
): Promise<Traces> {
  logProblems(log);
  const ids = new GivenIds();
  const own = resourceFromAttributes({
    "service.namespace": SCOPE,
    "service.name": service,
    "service.instance.id": instance,
    "service.version": build().version,
  });
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last, because they decide where they are set.
  const resource = defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
  const provider = new TracerProvider({
    resource,
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor({ exporter: reporting(await exporterOf(config), log) })],
  });
  const tracer = provider.getTracer(SCOPE);
  const isSampled = samplingOf(config);

  return {
    span: (name, { planId, attempt, fromMs, toMs, attributes }: Period) => {
      const traceId = traceIdOf(planId);
      if (!isSampled(traceId)) return;
      ids.traceId = traceId;
      ids.spanId = spanIdOf(planId, attempt, ...name);
      const options = {
        kind: SpanKind.INTERNAL,
        startTime: fromMs,
        attributes: { ...attributes, "quantum.plan": planId, "quantum.attempt": attempt },
      };
      const isRoot = name.length === 0;
      const parent = isRoot ? ROOT_CONTEXT : below(traceId, spanIdOf(planId, attempt));
      // The SDK complains of a span that ends before it begins.
      tracer.startSpan(isRoot ? ROOT : name.join(" "), options, parent).end(Math.max(fromMs, toMs));
    },
    stop: async () => {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, STOP_MAX_MS);
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

/** What is wrong with the configuration, and how many spans were dropped, is told this way only. */
function logProblems(log: Logger): void {
  const said = (problem: string) => log.warn(`OpenTelemetry: ${problem}`);
  const unsaid = () => undefined;
  diag.setLogger(
    { error: said, warn: said, info: unsaid, debug: unsaid, verbose: unsaid },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  // Failed exports, which are reported once (see `reporting`).
  setGlobalErrorHandler(unsaid);
}

/** The root is another service's span; its id is derived there as it is here. */
function below(traceId: string, spanId: string): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

/** Gives the SDK the ids that were derived, instead of random ones. */
class GivenIds implements IdGenerator {
  traceId = "";
  spanId = "";
  readonly generateTraceId = () => this.traceId;
  readonly generateSpanId = () => this.spanId;
}

/**
 * No service knows another one's decision. All decide by the same trace id, so they agree; and before a span costs
 * anything.
 */
function samplingOf(config: TracingConfig): (traceId: string) => boolean {
  const sampler = samplerOf(config);
  return (traceId) =>
    sampler.shouldSample(ROOT_CONTEXT, traceId, ROOT, SpanKind.INTERNAL, {}, []).decision !==
    SamplingDecision.NOT_RECORD;
}

function samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }: TracingConfig): Sampler {
  if (name.endsWith("always_off")) return new AlwaysOffSampler();
  return name.endsWith("traceidratio") ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
}

async function exporterOf({ OTEL_EXPORTER_OTLP_PROTOCOL: protocol }: TracingConfig): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter();
}

/** Says once that exports fail, and once that they work again. */
function reporting(exporter: SpanExporter, log: Logger): SpanExporter {
  let fails = false;
  const report = ({ code, error }: ExportResult) => {
    const failed = code !== ExportResultCode.SUCCESS;
    if (failed && !fails)
      log.warn({ err: error }, "traces cannot be exported; the pipeline goes on without them");
    if (!failed && fails) log.info("traces are exported again");
    fails = failed;
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        report(result);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush && { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() }),
  };
}
