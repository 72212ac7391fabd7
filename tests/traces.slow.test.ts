/** Traces of a running pipeline, as a receiver gets them; and that without tracing nothing of OpenTelemetry is loaded. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { spanIdOf, traceIdOf } from "@quantum/contract";
import { eventually, type ServiceProcess } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { PIPELINE } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";

const NODE_OPTIONS = `--import ${pathToFileURL(join(import.meta.dirname, "loaded-modules.preload.mjs")).href}`;
const START_TIMEOUT_MS = 60_000;
const TRACE_TIMEOUT_MS = 20_000;
/** Of an executed plan, with the service that reports each. */
const SPANS = [
  "apply-layer: plan",
  "apply-layer: verdict",
  "executor: answered",
  "executor: claimed",
  "executor: sent",
  "executor: settled",
  "governor: permit governor",
  "position-brain: ledger",
  "position-brain: permit p33",
];

let rig: Rig;
let receiver: Awaited<ReturnType<typeof startOtlpReceiver>>;
let services: ServiceProcess[];
beforeAll(async () => {
  [rig, receiver] = await Promise.all([startRig(), startOtlpReceiver()]);
  const traced = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  };
  const env = { NODE_OPTIONS, ...traced };
  services = await Promise.all(PIPELINE.map(({ name }) => rig.start(name, env)));
  await rig.start("harvest-feed", { FEED_RATE: "5" });
}, START_TIMEOUT_MS);
afterAll(async () => {
  await rig?.stop();
  receiver?.stop();
});

const nameOf = ({ service, name }: ReceivedSpan) => `${service}: ${name}`;

describe("an executed plan", () => {
  let spans: ReceivedSpan[];
  let planId: string;
  beforeAll(async () => {
    spans = await eventually(
      async () => {
        const all = Map.groupBy(receiver.spans, ({ traceId }) => traceId);
        return [...all.values()].find((trace) => SPANS.every((name) => trace.map(nameOf).includes(name)));
      },
      TRACE_TIMEOUT_MS,
      "a trace of all stages",
    );
    planId = spans[0]?.attributes["quantum.plan"] ?? "";
  }, START_TIMEOUT_MS);

  it("is one trace over all services, whose id its plan id tells", () => {
    expect(spans.map(nameOf).toSorted()).toEqual(SPANS);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(planId)]));
  });

  it("hangs below one root, which says how it ended", () => {
    const root = spans.find(({ name }) => name === "plan");
    expect(root).toMatchObject({ parentSpanId: "", attributes: { "quantum.outcome": "EXECUTED" } });
    expect(root?.spanId).toBe(spanIdOf(planId, root?.attributes["quantum.attempt"] ?? ""));
    const parents = spans.filter((span) => span !== root).map(({ parentSpanId }) => parentSpanId);
    expect(new Set(parents)).toEqual(new Set([root?.spanId]));
  });

  it("is named in the log lines about it, of every service", () => {
    for (const { name, logs } of services) {
      const about = logs.filter(({ plan, planId: id = plan }) => id === planId);
      expect([name, about.length > 0]).toEqual([name, true]);
      expect(new Set(about.map(({ trace_id }) => trace_id))).toEqual(new Set([traceIdOf(planId)]));
    }
  });
});

describe("a service", () => {
  const loaded = async (env: Record<string, string>) => {
    const governor = await rig.start("governor", { NODE_OPTIONS, ...env });
    const said = governor.error("").message;
    await governor.stop();
    return said.includes("@opentelemetry");
  };

  it("loads nothing of OpenTelemetry without tracing", async () => {
    expect(await loaded({})).toBe(false);
    expect(await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })).toBe(true);
  });
});
