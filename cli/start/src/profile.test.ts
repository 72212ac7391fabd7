import { expect, it } from "vitest";
import { tracingOf } from "./profile.ts";

it("a run's services get the caller's variables of traces, each under its own name, and no others", () => {
  const OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318";
  expect(
    tracingOf({
      OTEL_EXPORTER_OTLP_ENDPOINT,
      OTEL_SERVICE_NAME: "mine",
      OTEL_TRACES_SAMPLER: undefined,
      REDIS_URL: "redis://127.0.0.1:1",
      NOTEL_A: "a",
    }),
  ).toEqual({ OTEL_EXPORTER_OTLP_ENDPOINT });
});
