/**
 * The apply-layer (P3) turns proposals into plans. Each plan waits for its permits, which are spent together, or the
 * plan is blocked. This file only does the wiring.
 */
import { createConsume, PermitWait } from "@quantum/permits";
import { admitRealOrders, every, isTracing, runService } from "@quantum/service-kit";
import { type ConsumerOptions, StreamConsumer } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";
import { createBacklog } from "./backlog.ts";
import { configSource, gatesOf, isRealVenue } from "./config.ts";
import { createHandler } from "./handler.ts";
import { watchKillSwitch } from "./kill-switch-watch.ts";
import { createOpen } from "./open.ts";
import { addPlansRoute } from "./plans-route.ts";
import { createHashPoll, handleProposal } from "./proposals.ts";
import { createSweep } from "./sweep.ts";
import { createPlanCare } from "./plan-care.ts";
import { ApplyTelemetry, observe } from "./telemetry.ts";
import { reportTo, wakeBy } from "./wakes.ts";

const { name: NAME, group: GROUP } = serviceOf("apply-layer");
/** A dead replica's plans end at most this long after their deadline. */
const SWEEP_MS = 5_000;
/** A stop that takes longer is forced. */
const DRAIN_MAX_MS = 3_000;

await runService({
  name: NAME,
  summary: "turns harvest proposals into plans, waits for every permit and spends them together, or blocks",
  ...configSource,
  port: (config) => config.APPLY_METRICS_PORT,
  level: (config) => config.APPLY_LOG_LEVEL,
  start: async ({
    config,
    log,
    registry,
    http,
    partitions,
    connectTo,
    keys,
    redis,
    instance,
    connectForBlocking,
    progress,
    clocksAgree,
    stages,
  }) => {
    await admitRealOrders({ partitions, log, clocksAgree }, isRealVenue(config));

    const required = config.APPLY_REQUIRED_PERMITS;
    const bare = config.APPLY_BARE_PERMITS;
    const known = [...new Set([...config.SYMBOLS, ...config.APPLY_ALLOWLIST])];
    const events = new ApplyTelemetry();
    const consume = createConsume({
      redis,
      keys,
      required,
      bare,
      executeTtlMs: config.APPLY_EXECUTE_TTL_MS,
      // The Python loop's last check may come one step after the deadline. Permits found later are too late.
      graceMs: config.APPLY_PERMIT_STEP_MS,
      halted: config.APPLY_KILL_SWITCH,
    });
    const wait = new PermitWait({ redis, keys, required, consume, stepMs: config.APPLY_PERMIT_STEP_MS });
    observe({
      events,
      wait,
      stages,
      registry,
      log,
      symbols: new Set(known),
      required,
      waitBudgetMs: config.APPLY_PERMIT_WAIT_MS,
      halted: config.APPLY_KILL_SWITCH,
    });
    addPlansRoute(http, { redis, keys, isTraced: isTracing(config) });

    const open = createOpen({
      redis,
      keys,
      required: required.filter((issuer) => !bare.includes(issuer)),
      mode: config.APPLY_MODE,
      waitMs: config.APPLY_PERMIT_WAIT_MS,
      dedupeTtlSec: config.APPLY_DEDUPE_TTL_SEC,
    });
    const handler = createHandler({
      gates: gatesOf(config),
      halted: config.APPLY_KILL_SWITCH,
      isFull: createBacklog({ redis, keys, required, max: config.APPLY_BACKLOG_MAX }),
      open,
      wait,
      events,
    });

    const failed = (doing: string) => (error: Error) => events.emit("failed", { doing, error });
    const pollMs = config.APPLY_POLL_SEC * 1000;
    const poll = createHashPoll({
      redis,
      keys,
      symbols: config.SYMBOLS,
      lastPlan: handler.lastPlan,
      accept: handler.accept,
      onBad: (symbol, problem) => events.emit("badHash", { symbol, problem }),
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
    const tries = progress.attempts("try a plan's permits");
    wait.on("failed", ({ planId, error }) => tries.failed(planId, error.message));
    wait.on("recovered", ({ planId }) => tries.ended(planId));
    const repeated: { stop: () => Promise<void> }[] = [];

    const common = { redis, connectForBlocking, keys, group: GROUP, consumer: instance };
    const consumer = (options: Pick<ConsumerOptions, "stream" | "handle" | "acknowledge">) =>
      new StreamConsumer({ ...common, ...options });
    return {
      begin: async () => {
        const onError = (doing: string, error: Error) => failed(doing)(error);
        repeated.push(await watchKillSwitch({ partitions, connectTo, progress, onError }));
        const sweepFailed = failed("sweep waiting plans");
        await sweep({ all: true }).catch(sweepFailed);
        repeated.push(
          every(
            pollMs,
            progress.loop("poll the proposal hashes", pollMs, poll),
            failed("poll the proposal hashes"),
          ),
          every(SWEEP_MS, () => sweep({ all: false }), sweepFailed),
        );
      },
      consumers: [
        consumer({ stream: keys.streams.permit, handle: wakeBy(wait), acknowledge: false }),
        consumer({ stream: keys.streams.proposal, handle: handleProposal(handler.accept) }),
        consumer({ stream: keys.streams.result, handle: reportTo(events), acknowledge: false }),
      ],
      stop: async () => {
        await Promise.all(repeated.map((task) => task.stop()));
        await wait.drain(Math.min(config.APPLY_PERMIT_WAIT_MS, DRAIN_MAX_MS));
        await wait.stop();
      },
    };
  },
});
