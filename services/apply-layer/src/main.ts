/**
 * The apply-layer (P3) turns proposals into plans. Each plan waits for its permits, which are spent together, or the
 * plan is blocked. This file only does the wiring.
 */
import { admitRealOrders, every, isTracing, runService } from "@quantum/service-kit";
import { StreamConsumer } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";
import { configSource, isRealVenue } from "./config.ts";
import { watchKillSwitch } from "./kill-switch-watch.ts";
import { createPart } from "./part.ts";
import { addPlansRoute } from "./plans-route.ts";
import { createHashPoll, handleProposal } from "./proposals.ts";
import { ApplyTelemetry, observe } from "./telemetry.ts";

const { name: NAME, group: GROUP } = serviceOf("apply-layer");

await runService({
  name: NAME,
  summary: "turns harvest proposals into plans, waits for every permit and spends them together, or blocks",
  ...configSource,
  port: (config) => config.APPLY_METRICS_PORT,
  level: (config) => config.APPLY_LOG_LEVEL,
  start: async (context) => {
    const { config, log, registry, http, partitions, connectTo, instance, progress, stages } = context;
    await admitRealOrders(context, isRealVenue(config));

    const events = new ApplyTelemetry();
    const shared = { config, log, progress, events, group: GROUP, consumer: instance };
    const parts = partitions.with((partition) => createPart(partition, shared));
    observe({
      events,
      waits: parts.map(({ wait }) => wait),
      stages,
      registry,
      log,
      symbols: new Set([...config.SYMBOLS, ...config.APPLY_ALLOWLIST]),
      required: config.APPLY_REQUIRED_PERMITS,
      waitBudgetMs: config.APPLY_PERMIT_WAIT_MS,
      halted: config.APPLY_KILL_SWITCH,
    });
    addPlansRoute(http, { partitions: parts, isTraced: isTracing(config) });

    const intake = context.openIntake();
    const poll = createHashPoll({
      hashes: intake.hashes,
      parts,
      symbols: config.SYMBOLS,
      onBad: (symbol, problem) => events.emit("badHash", { symbol, problem }),
    });
    const proposals = new StreamConsumer({
      ...intake,
      group: GROUP,
      consumer: instance,
      stream: intake.keys.streams.proposal,
      handle: handleProposal(parts),
    });
    const pollMs = config.APPLY_POLL_SEC * 1000;
    const polling = "poll the proposal hashes";
    const failed = (doing: string, error: Error) => void events.emit("failed", { doing, error });
    const repeated: { stop: () => Promise<void> }[] = [];
    return {
      begin: async () => {
        repeated.push(await watchKillSwitch({ partitions, connectTo, progress, onError: failed }));
        await Promise.all(parts.map(({ begin }) => begin()));
        const polls = progress.loop(polling, pollMs, poll);
        repeated.push(every(pollMs, polls, (error) => failed(polling, error)));
      },
      // Wake-ups first: a plan that is opened may be answered at once.
      consumers: [...parts.all.flatMap(({ consumers }) => consumers), proposals],
      stop: async () => {
        await Promise.all(repeated.map((task) => task.stop()));
        await Promise.all(parts.map(({ stop }) => stop()));
      },
    };
  },
});
