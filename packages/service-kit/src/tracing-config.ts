/**
 * The variables of OpenTelemetry that turn tracing on, and those that could not be honoured in silence. Variables that are not here, such as
 * `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_RESOURCE_ATTRIBUTES`, are read by its own packages.
 * Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import { z } from "zod";
import { choice, flag, number } from "./config.ts";

const endpoint = (meaning: string) =>
  z
    .string()
    .refine((value) => /^https?:/.test(value) && URL.canParse(value), "must be an http:// or https:// URL")
    .optional()
    .describe(meaning);

export const tracingVariables = {
  OTEL_TRACES_EXPORTER: z
    .enum(["otlp", "none"], "must be one of otlp, none")
    .optional()
    .describe("otlp exports traces, none does not; unset: they are exported if an endpoint is set"),
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint("URL of the OTLP receiver; traces go to /v1/traces below it"),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint("URL for traces as it is; takes precedence"),
  OTEL_EXPORTER_OTLP_PROTOCOL: choice(
    "encoding of what is exported",
    ["http/protobuf", "http/json"],
    "http/protobuf",
  ),
  OTEL_TRACES_SAMPLER: choice(
    "which plans are traced; the parent is always derived, so parentbased_ changes nothing",
    [
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ],
    "parentbased_always_on",
  ),
  OTEL_TRACES_SAMPLER_ARG: number("share of the plans that traceidratio traces", 1, { max: 1 }),
  OTEL_SDK_DISABLED: flag("no traces, whatever else is set", false),
};

export type TracingConfig = z.output<z.ZodObject<typeof tracingVariables>>;

/** Whether plans are traced, so that a trace id leads somewhere. */
export function isTracing(config: TracingConfig): boolean {
  if (config.OTEL_SDK_DISABLED || config.OTEL_TRACES_EXPORTER === "none") return false;
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = config;
  return config.OTEL_TRACES_EXPORTER === "otlp" || all !== undefined || own !== undefined;
}
