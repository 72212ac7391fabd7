import { traceIdOf } from "@quantum/contract";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readConfig } from "./config.ts";
import { startTraces, traceOfLine } from "./tracing.ts";
import { isTracing, tracingVariables } from "./tracing-config.ts";

const source = { schema: z.object(tracingVariables), ownPrefixes: [] };
const configOf = (environment: Record<string, string>) => readConfig(source, environment).config;
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };
const OWN = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://collector.example/v1/traces" };

describe("tracing", () => {
  it.each([
    ["nothing is set", {}, false],
    ["an endpoint is", ENDPOINT, true],
    ["an endpoint for traces is", OWN, true],
    ["only the exporter is", { OTEL_TRACES_EXPORTER: "otlp" }, true],
    ["the exporter is none", { ...ENDPOINT, OTEL_TRACES_EXPORTER: "none" }, false],
    ["the SDK is disabled", { ...ENDPOINT, OTEL_TRACES_EXPORTER: "otlp", OTEL_SDK_DISABLED: "true" }, false],
    ["all are empty", { OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_TRACES_EXPORTER: "" }, false],
  ])("where %s: %o → %s", (_, environment, on) => {
    expect(isTracing(configOf(environment))).toBe(on);
  });

  it("starts nothing where it is off", async () => {
    expect(await startTraces(configOf({}), undefined as never)).toBeUndefined();
  });

  it.each([
    ["OTEL_TRACES_EXPORTER", "zipkin", "must be one of otlp, none"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "must be an http:// or https:// URL"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be one of http/protobuf, http/json"],
    ["OTEL_TRACES_SAMPLER_ARG", "10", "must be a number from 0 to 1"],
  ])("refuses %s=%s, which it could not honour", (name, value, rule) => {
    expect(() => configOf({ [name]: value })).toThrow(rule);
  });
});

describe("a log line", () => {
  it.each([["plan"], ["planId"]])("about a %s says its trace", (field) => {
    expect(traceOfLine({ [field]: "67e6da21fa9fe506" })).toEqual({ trace_id: traceIdOf("67e6da21fa9fe506") });
  });

  it.each([[{}], [{ plan: "not an id" }], [{ planId: 7 }], [{ plan: { symbol: "BTCUSDT" } }]])(
    "without a plan's id has none: %o",
    (line) => {
      expect(traceOfLine(line)).toEqual({});
    },
  );
});
