/** Bugs on the way of a plan, and in the streams that carry it. */
import type { Mutant } from "./mutant.ts";

export const PLAN_MUTANTS: readonly Mutant[] = [
  {
    bug: "a plan that others have still to answer is never tried, even if they wake nobody",
    edits: [
      {
        file: "packages/permits/src/wait.ts",
        find: "&& this.#keyPoll.silentIssuers().length === 0) return;",
        replace: ") return;",
      },
    ],
    test: "packages/permits/src/wait.test.ts",
  },
  {
    bug: "a plan that still waits is forgotten half-way",
    edits: [
      {
        file: "packages/permits/src/wait.ts",
        find: 'const hasEnded = state !== null && state !== "WAITING" &&',
        replace: "const hasEnded = state !== null &&",
      },
    ],
    test: "packages/permits/src/wait.test.ts",
    only: "may be lost",
  },
  {
    bug: "issuers and executor count as keeping up while that cannot be read",
    edits: [
      {
        file: "services/apply-layer/src/backlog.ts",
        find: "() => (hasRoom = false),",
        replace: "() => (hasRoom = true),",
      },
    ],
    test: "services/apply-layer/src/backlog.test.ts",
  },
  {
    bug: "the lag that a promoted replica tells is believed",
    edits: [
      {
        file: "services/apply-layer/src/backlog.ts",
        find: "if (lag + pending <= max) return lag + pending;",
        replace: "if (!Number.isNaN(lag)) return lag + pending;",
      },
    ],
    test: "services/apply-layer/src/backlog.test.ts",
  },
  {
    bug: "the mark against duplicates is set in a step of its own, before the plan exists",
    edits: [
      {
        file: "services/apply-layer/src/open.ts",
        find: "const [status, ...rest] = await run(redis, {\n      keys: {\n        plan: keys.plan(id),\n        dedupe: keys.dedupe(id),",
        replace: `if ((await redis.set(keys.dedupe(id), "1", "EX", options.dedupeTtlSec, "NX")) === null)
          return { kind: "duplicate", planId: id, state: "unknown", remainingMs: 0 };
        const [status, ...rest] = await run(redis, {
      keys: {
        plan: keys.plan(id),
        dedupe: keys.dedupe(id + ":opened"),`,
      },
    ],
    test: "tests/crash-points/apply-layer.slow.test.ts",
    only: "killed at every step",
  },
  {
    bug: "a plan whose permits were spent can be opened again",
    edits: [
      {
        file: "lua/plans/open.lua",
        find: "redis.call('EXISTS', dedupe) == 1 or has_order then",
        replace: "redis.call('EXISTS', dedupe) == 1 then",
      },
    ],
    test: "services/apply-layer/src/open.test.ts",
  },
  {
    bug: "open takes a plan for new if it has neither record nor dedupe mark",
    edits: [
      {
        file: "lua/plans/open.lua",
        find: "redis.call('EXISTS', plan, dedupe, spent, order, kill_switch,",
        replace: "redis.call('EXISTS', plan, dedupe, kill_switch,",
      },
    ],
    test: "services/apply-layer/src/open.test.ts",
  },
  {
    bug: "open looks for no halt",
    edits: [
      {
        file: "lua/plans/open.lua",
        find: "spent, order, kill_switch, disarm, disarm_today, unpack(",
        replace: "spent, order, unpack(",
      },
    ],
    test: "services/apply-layer/src/open.test.ts",
  },
  {
    bug: "a handover is made up from a record that says too little",
    edits: [
      {
        file: "lua/shared/handover.lua",
        find: "  if not is_whole then return nil end\n",
        replace: "",
      },
    ],
    test: "services/apply-layer/src/plan-care.test.ts",
  },
  {
    bug: "a stream is trimmed of what was delivered, acknowledged or not",
    edits: [
      {
        file: "packages/streams/src/health.ts",
        find: "const needed = earlier(delivered, oldestPending ?? delivered);",
        replace: "const needed = delivered;",
      },
    ],
    test: "packages/streams/src/health.test.ts",
  },
  {
    bug: "a group that was moved behind its stream's end is left there",
    edits: [
      {
        file: "packages/streams/src/consumer.ts",
        find: "    if (await bringBackGroup(redis, stream, group)) this.#lost();\n",
        replace: "",
      },
    ],
    test: "packages/streams/src/moved-group.test.ts",
  },
  {
    bug: "what a stop has not begun counts as delivered",
    edits: [
      {
        file: "packages/streams/src/unbegun.ts",
        find: '"RETRYCOUNT", deliveries - 1, ',
        replace: "",
      },
    ],
    test: "packages/streams/src/unbegun.test.ts",
  },
  {
    bug: "a stop leaves the plans that wait to whoever comes too late",
    edits: [
      {
        file: "packages/permits/src/wait.ts",
        find: "while (this.#waiting.size > 0 && performance.now() < until) {",
        replace: "while (this.#waiting.size < 0 && performance.now() < until) {",
      },
    ],
    test: "packages/permits/src/wait.test.ts",
    only: "without a wake-up",
  },
  {
    bug: "an entry is acknowledged before its work is done",
    edits: [
      {
        file: "packages/streams/src/consumer.ts",
        find: "disposition = await this.#repeatUnanswered(",
        replace: `await this.#options.redis.xack(this.stream, this.group, entry.id);
      disposition = await this.#repeatUnanswered(`,
      },
    ],
    test: "packages/streams/src/consumer.test.ts",
    only: "acknowledges on",
  },
  {
    bug: "what Redis left unanswered waits for its reclaim",
    edits: [
      {
        file: "packages/streams/src/consumer.ts",
        find: "if (isOver || !isUnanswered(error)) throw error;",
        replace: "throw error;",
      },
    ],
    test: "packages/streams/src/outage.test.ts",
    only: "stood still",
  },
];
