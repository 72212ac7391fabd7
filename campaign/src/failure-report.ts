/**
 * The complete history of the plans that a failed check names: streams, faults, the exchange, and Redis's final state.
 */
import type { Evidence, Finding, PipelineRedis } from "@quantum/harness";
import type { ThrownFault } from "./campaign.ts";
import type { Line, Recorder } from "./record.ts";
import type { CheckName } from "./summary.ts";

/** The others failed for the same reason. */
const SHOWN_PLANS = 3;
/** Faults this close to a plan may be related to it. */
const NEAR_MS = 10_000;

export interface FailureReportSources {
  findings: Record<CheckName, Finding>;
  evidence: Evidence;
  history: Recorder;
  stored: PipelineRedis;
  faults: readonly ThrownFault[];
}

export async function failureReport(sources: FailureReportSources): Promise<string[]> {
  const { findings, evidence, history } = sources;
  const sentences = Object.values(findings).flatMap(({ violations }) => violations);
  const planOfOrder = new Map(evidence.orders.map(({ orderId, clientOrderId }) => [orderId, clientOrderId]));
  const named = sentences.flatMap((sentence) => {
    const orderId = /order (\d+)/.exec(sentence)?.[1];
    const text = `${sentence} ${planOfOrder.get(orderId ?? "") ?? ""}`;
    return text.match(/\b[0-9a-f]{16}\b/g) ?? [];
  });
  const plans = [...new Set([...named, ...history.open])].slice(0, SHOWN_PLANS);
  const told = await Promise.all(plans.map((plan) => tell(sources, plan)));
  return told.flat();
}

async function tell(sources: FailureReportSources, plan: string): Promise<string[]> {
  const { evidence, history, stored, faults } = sources;
  const lines: Line[] = [...history.timeline(plan)];
  for (const order of evidence.orders) {
    if (!order.clientOrderId.startsWith(`qp-${plan}-`)) continue;
    const { clientOrderId, orderId, side, origQty, executedQty, timestampMs = 0 } = order;
    lines.push({
      atMs: timestampMs,
      text: `exchange: order ${orderId} ${clientOrderId} ${side} ${origQty}, executed ${executedQty}`,
    });
  }
  const times = lines.map(({ atMs }) => atMs);
  const [from, to] = [Math.min(...times) - NEAR_MS, Math.max(...times) + NEAR_MS];
  for (const { kind, target, fromMs, toMs } of faults) {
    const [began, ended] = [fromMs, toMs].map((ms) => performance.timeOrigin + ms) as [number, number];
    if (ended < from || began > to) continue;
    lines.push({ atMs: began, text: `fault ${kind} (${target}) begins` });
    lines.push({ atMs: ended, text: `fault ${kind} (${target}) has ended` });
  }
  const symbol = history.plans.find(({ planId }) => planId === plan)?.symbol ?? "";
  const { redis, keys } = stored.partitions.of(symbol);
  const flat = async (key: string) => JSON.stringify(await redis.hgetall(key).catch(String));
  return [
    `Plan ${plan}:`,
    ...lines
      .toSorted((a, b) => a.atMs - b.atMs)
      .map(({ atMs, text }) => `  ${new Date(atMs).toISOString().slice(11, -1)} ${text}`),
    `  at the end: record ${await flat(keys.plan(plan))}`,
    `  at the end: claim ${await flat(keys.order(plan))}`,
  ];
}
