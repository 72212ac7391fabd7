/** Spans as an OTLP receiver gets them. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { spanIdOf, traceIdOf } from "@quantum/contract";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { readConfig } from "./config.ts";
import { createTraces } from "./otlp.ts";
import type { Period } from "./stages.ts";
import { tracingVariables } from "./tracing-config.ts";

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string } }[];
}

interface Received {
  path: string;
  headers: Record<string, unknown>;
  body: Buffer;
}

const received: Received[] = [];
let status = 200;
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    received.push({ path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close());
beforeEach(() => {
  received.length = 0;
  status = 200;
});
afterEach(() => vi.unstubAllEnvs());

const lines: string[] = [];
const log = {
  warn: (_: unknown, line: string) => lines.push(line),
  info: (line: string) => lines.push(line),
};

/** The exporter reads the environment itself. */
async function tracesOf(service: string, environment: Record<string, string> = {}) {
  const all = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    ...environment,
  };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  const { config } = readConfig({ schema: z.object(tracingVariables), ownPrefixes: [] }, all);
  return createTraces(config, { service, instance: `${service}@test`, log: log as never });
}

function spansReceived(): (Span & { service: string | undefined })[] {
  return received.flatMap(({ body }) => {
    const { resourceSpans } = JSON.parse(body.toString()) as {
      resourceSpans: { resource: { attributes: Span["attributes"] }; scopeSpans: { spans: Span[] }[] }[];
    };
    return resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue;
      return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
    });
  });
}

const FROM_MS = 1_795_000_000_000;
const plan = (no: number): Period => ({
  planId: no.toString(16).padStart(16, "0"),
  attempt: `${FROM_MS}-${no}`,
  fromMs: FROM_MS,
  toMs: FROM_MS + 250,
});

describe("a plan's spans", () => {
  it("are one trace, whichever services they come from, below one root", async () => {
    const [governor, apply] = [await tracesOf("governor"), await tracesOf("apply-layer")];
    const period = { ...plan(1), attributes: { "quantum.symbol": "BTCUSDT" } };
    governor.span(["permit", "governor"], period);
    apply.span([], period);
    await Promise.all([governor.stop(), apply.stop()]);
    const spans = spansReceived();
    const root = spanIdOf(period.planId, period.attempt);
    expect(spans).toHaveLength(2);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(period.planId)]));
    expect(spans.find(({ service }) => service === "apply-layer")).toMatchObject({
      name: "plan",
      spanId: root,
      startTimeUnixNano: `${FROM_MS}000000`,
      endTimeUnixNano: `${FROM_MS + 250}000000`,
    });
    const permit = spans.find(({ service }) => service === "governor");
    expect(permit).toMatchObject({
      name: "permit governor",
      spanId: spanIdOf(period.planId, period.attempt, "permit", "governor"),
      parentSpanId: root,
    });
    expect(permit?.attributes).toContainEqual({ key: "quantum.plan", value: { stringValue: period.planId } });
  });

  it("are sampled as wholes: services that never speak to each other trace the same plans", async () => {
    const half = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" };
    const plans = Array.from({ length: 40 }, (_, no) => plan(no));
    const services = [await tracesOf("governor", half), await tracesOf("executor", half)];
    for (const period of plans) {
      services[0]?.span(["permit", "governor"], period);
      services[1]?.span(["sent"], period);
    }
    await Promise.all(services.map((traces) => traces.stop()));
    const tracedBy = (name: string) =>
      spansReceived()
        .filter(({ service }) => service === name)
        .map(({ traceId }) => traceId);
    expect(tracedBy("governor").toSorted()).toEqual(tracedBy("executor").toSorted());
    expect(tracedBy("governor").length).toBeGreaterThan(0);
    expect(tracedBy("governor").length).toBeLessThan(plans.length);
  });

  it("never end before they begin", async () => {
    const traces = await tracesOf("executor");
    traces.span(["sent"], { ...plan(2), toMs: FROM_MS - 9_000 });
    await traces.stop();
    const [span] = spansReceived();
    expect(span?.endTimeUnixNano).toBe(span?.startTimeUnixNano);
  });
});

describe("the export", () => {
  it("is protobuf by default, with the headers of the environment, to /v1/traces", async () => {
    const traces = await tracesOf("governor", {
      OTEL_EXPORTER_OTLP_PROTOCOL: "",
      OTEL_EXPORTER_OTLP_HEADERS: "x-token=secret",
    });
    traces.span(["sent"], plan(3));
    await traces.stop();
    expect(received).toMatchObject([
      { path: "/v1/traces", headers: { "content-type": "application/x-protobuf", "x-token": "secret" } },
    ]);
    expect(received[0]?.body.includes(Buffer.from(traceIdOf(plan(3).planId), "hex"))).toBe(true);
  });

  it("takes the names of the environment before its own", async () => {
    const traces = await tracesOf("governor", {
      OTEL_SERVICE_NAME: "mine",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=testnet",
    });
    traces.span(["sent"], plan(4));
    await traces.stop();
    expect(spansReceived()).toMatchObject([{ service: "mine" }]);
    expect(received[0]?.body.toString()).toContain("deployment.environment.name");
  });

  it("that fails is said once, and delays nothing", async () => {
    status = 400;
    lines.length = 0;
    const traces = await tracesOf("governor");
    // Three batches.
    for (let no = 0; no < 1200; no++) traces.span(["sent"], plan(no));
    await traces.stop();
    expect(lines).toEqual(["traces cannot be exported; the pipeline goes on without them"]);
  });
});
