/** What the apply-layer does in one partition: open plans, wait for their permits, and look after them. */
import { createConsume, PermitWait } from "@quantum/permits";
import { every, type Logger, ofPartition, type Partition, type Progress } from "@quantum/service-kit";
import { StreamConsumer } from "@quantum/streams";
import { createBacklog } from "./backlog.ts";
import { type Config, gatesOf } from "./config.ts";
import { createHandler } from "./handler.ts";
import { createOpen } from "./open.ts";
import { Outage } from "./outage.ts";
import { createPlanCare } from "./plan-care.ts";
import { createSweep } from "./sweep.ts";
import type { ApplyTelemetry } from "./telemetry.ts";
import { reportTo, wakeBy } from "./wakes.ts";

/** A dead replica's plans end at most this long after their deadline. */
const SWEEP_MS = 5_000;
/** A stop that takes longer is forced. */
const DRAIN_MAX_MS = 3_000;

export interface PartOptions {
  config: Config;
  log: Pick<Logger, "error">;
  progress: Progress;
  events: ApplyTelemetry;
  group: string;
  consumer: string;
}

export function createPart(partition: Partition, options: PartOptions) {
  const { redis, keys, connectForBlocking, name } = partition;
  const { config, log, events, group, consumer } = options;
  const progress = options.progress.of(name);
  const required = config.APPLY_REQUIRED_PERMITS;
  const consume = createConsume({
    redis,
    keys,
    required,
    bare: config.APPLY_BARE_PERMITS,
    executeTtlMs: config.APPLY_EXECUTE_TTL_MS,
    // The Python loop's last check may come one step after the deadline. Permits found later are too late.
    graceMs: config.APPLY_PERMIT_STEP_MS,
    halted: config.APPLY_KILL_SWITCH,
  });
  const wait = new PermitWait({ redis, keys, required, consume, stepMs: config.APPLY_PERMIT_STEP_MS });
  const open = createOpen({
    redis,
    keys,
    required: required.filter((issuer) => !config.APPLY_BARE_PERMITS.includes(issuer)),
    mode: config.APPLY_MODE,
    waitMs: config.APPLY_PERMIT_WAIT_MS,
    dedupeTtlSec: config.APPLY_DEDUPE_TTL_SEC,
  });
  const { accept, lastPlan } = createHandler({
    gates: gatesOf(config),
    halted: config.APPLY_KILL_SWITCH,
    isFull: createBacklog({ redis, keys, required, max: config.APPLY_BACKLOG_MAX }),
    open,
    wait,
    events,
  });
  const lookAfterPlans = createPlanCare({
    redis,
    keys,
    onLost: (plan) =>
      log.error(plan, `${plan.symbol}: the record of plan ${plan.planId} was deleted or damaged: blocked`),
  });
  const sweepWaiting = createSweep({ redis, keys, wait });
  const sweep = progress.loop("sweep the waiting plans", SWEEP_MS, async (which: { all: boolean }) => {
    // First look after plans, then sweep the index. A failure of the first does not prevent the second.
    const [lookedAfter] = await Promise.allSettled([lookAfterPlans()]);
    await sweepWaiting(which);
    if (lookedAfter.status === "rejected") throw lookedAfter.reason as Error;
  });
  const sweepFailed = (error: Error) =>
    events.emit("failed", { doing: `sweep waiting plans${ofPartition(name)}`, error });
  const tries = progress.attempts("try a plan's permits");
  wait.on("failed", ({ planId, error }) => tries.failed(planId, error.message));
  wait.on("recovered", ({ planId }) => tries.ended(planId));

  const outage = new Outage(name);
  const common = { redis, connectForBlocking, keys, group, consumer, acknowledge: false };
  let sweeps: { stop: () => Promise<void> } | undefined;
  return {
    wait,
    accept,
    lastPlan,
    outage,
    consumers: [
      new StreamConsumer({ ...common, stream: keys.streams.permit, handle: wakeBy(wait) }),
      new StreamConsumer({ ...common, stream: keys.streams.result, handle: reportTo(events) }),
    ],
    begin: async () => {
      await sweep({ all: true }).catch(sweepFailed);
      sweeps = every(SWEEP_MS, () => sweep({ all: false }), sweepFailed);
    },
    stop: async () => {
      outage.stop();
      await sweeps?.stop();
      await wait.drain(Math.min(config.APPLY_PERMIT_WAIT_MS, DRAIN_MAX_MS));
      await wait.stop();
    },
  };
}
