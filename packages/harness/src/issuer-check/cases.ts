/** What every issuer must do, one case each, with what a failure means and where to read on. */
import { patienceMs } from "../processes/patience.ts";
import { type Bench, type Plan, SYMBOL, WAIT_BUDGET_MS } from "./bench.ts";
import { denialFlaws, permitFlaws, signatureFlaws, ttlFlaws, wakeUpFlaws } from "./forms.ts";
import { PARTITION_CASES } from "./partition-cases.ts";
import {
  answeredOnce,
  bothHold,
  type Case,
  flawsOfGrants,
  giveAgain,
  halted,
  PLANS,
  ready,
  RECLAIM_MS,
  unanswered,
} from "./steps.ts";

/** In some rounds an instance may not be reading when it is paused. */
const ROUNDS = 8;

export const CASES: readonly Case[] = [
  {
    name: "first start",
    breaks: "plans that were published before the first start are lost",
    read: "Read",
    run: async (bench) => {
      const plans = await bench.publish(PLANS);
      await bench.subject.start();
      await bench.untilAnswered(plans);
      return [];
    },
  },
  {
    name: "in time",
    breaks: "plans end with missing_ISSUER, or wait for a poll",
    read: "Answer",
    run: async (bench) => {
      await ready(bench);
      const plans = await bench.publish(PLANS);
      const answers = await bench.untilAnswered(plans);
      const limitMs = patienceMs(WAIT_BUDGET_MS);
      return plans.flatMap((plan) => {
        const entries = answers.get(plan.attempt) ?? [];
        const tookMs = (entries[0]?.issued_at_ms ?? Infinity) - plan.publishedMs;
        const late = tookMs > limitMs ? [`plan ${plan.planId}: answered after ${tookMs} ms`] : [];
        return [...late, ...wakeUpFlaws(plan, entries, bench.row.name)];
      });
    },
  },
  ofGrants(
    "permit",
    "the plan is blocked with invalid_ISSUER_permit_format, or the permit is passed over",
    "Permit",
    permitFlaws,
  ),
  ofGrants("permit TTL", "a permit expires before the last one arrives, or never does", "Permit", ttlFlaws),
  ofGrants(
    "signature",
    "the executor refuses the order: permit_unsigned, permit_forged, permit_expired",
    "Sign",
    signatureFlaws,
  ),
  {
    name: "no answer asked",
    breaks: "plans that have ended get permits, which stay until their TTL",
    read: "Read",
    run: async (bench) => {
      await ready(bench);
      return unanswered(bench, await bench.publish(PLANS, { decision: "SKIP" }));
    },
  },
  {
    name: "ended plan",
    breaks: "a permit, and what was reserved for it, outlives its attempt",
    read: "Answer",
    run: async (bench) => {
      await ready(bench);
      const ended = await bench.publish(PLANS, { record: { state: "BLOCKED" } });
      const reopened = await bench.publish(PLANS, { record: { attempt: "9999999999999-0" } });
      return unanswered(bench, [...ended, ...reopened]);
    },
  },
  {
    name: "redelivery",
    breaks: "one attempt gets two permits, and its reservation counts twice",
    read: "Answer",
    run: async (bench) => {
      await ready(bench);
      const plans = await bench.publish(PLANS);
      await bench.untilAnswered(plans);
      await bench.untilIdle();
      const before = await Promise.all(plans.map((plan) => bench.redis.get(bench.permitKey(plan))));
      await giveAgain(bench, plans);
      const after = await Promise.all(plans.map((plan) => bench.redis.get(bench.permitKey(plan))));
      const changed = plans.filter((_, at) => before[at] !== after[at]);
      return [
        ...(await answeredOnce(bench, plans)),
        ...changed.map(({ planId }) => `plan ${planId}: its permit was written again`),
      ];
    },
  },
  {
    name: "restart",
    breaks: "plans that were read before a crash get no answer",
    read: "Read",
    run: async (bench) => {
      await ready(bench);
      await bench.subject.kill();
      const plans = await bench.publish(PLANS);
      // As if it had died between reading them and answering.
      const { redis, keys, group } = bench;
      await redis.xreadgroup("GROUP", group, "first", "STREAMS", keys.streams.plan, ">");
      await bench.subject.start();
      await bench.untilAnswered(plans, RECLAIM_MS);
      await bench.untilIdle();
      return answeredOnce(bench, plans);
    },
  },
  {
    name: "two at once",
    breaks: "two instances answer one attempt",
    read: "Answer",
    run: async (bench) => {
      await ready(bench);
      await bench.subject.start("second");
      try {
        await bench.untilReadBy("second");
        const plans: Plan[] = [];
        for (let round = 0; round < ROUNDS; round += 1) {
          plans.push(...(await bothHold(bench)));
          await bench.untilAnswered(plans);
        }
        await bench.untilIdle();
        return await answeredOnce(bench, plans);
      } finally {
        await bench.subject.kill("second");
      }
    },
  },
  {
    name: "kill switch",
    breaks: "it permits while an operator has halted everything",
    read: "Halts",
    run: (bench) => halted(bench, bench.keys.killSwitch, "yes"),
  },
  {
    name: "disarm",
    breaks: "it permits while the governor has disarmed the pipeline",
    read: "Halts",
    run: (bench) => halted(bench, bench.keys.disarm, '{"reason": "burst_limit_breach"}'),
  },
  {
    name: "denial",
    breaks: "a denial is not understood, and the plan waits for its deadline in place of ending",
    read: "Deny",
    run: async (bench) => {
      await ready(bench);
      await bench.redis.set(bench.keys.killSwitch, "1");
      try {
        const plans = await bench.publish(PLANS);
        await bench.untilAnswered(plans);
        return (await Promise.all(plans.map((plan) => denialFlaws(bench, plan)))).flat();
      } finally {
        await bench.redis.del(bench.keys.killSwitch);
      }
    },
  },
  {
    name: "malformed plan",
    breaks: "one bad entry stops all plans",
    read: "Read",
    run: async (bench) => {
      await ready(bench);
      const { redis, keys } = bench;
      for (const entry of MALFORMED) await redis.xadd(keys.streams.plan, "*", ...entry);
      const good = await bench.publish(PLANS);
      await bench.untilAnswered(good);
      await bench.untilIdle();
      return bench.subject.isRunning() ? [] : ["it ended"];
    },
  },
  ...PARTITION_CASES,
  {
    name: "stop",
    breaks: "a deployment has to kill it",
    read: "Read",
    run: async (bench) => {
      await ready(bench);
      return (await bench.subject.stop()) ? [] : ["it did not end within 10 s of SIGTERM"];
    },
  },
];

const MALFORMED: readonly string[][] = [
  ["nonsense", "1"],
  [
    "plan_id",
    "../etc",
    "symbol",
    SYMBOL,
    "action",
    "A",
    "kill_score",
    "0.5",
    "decision",
    "EXECUTE",
    "steps",
    "[]",
  ],
  [
    "plan_id",
    "00000000000000aa",
    "symbol",
    SYMBOL,
    "action",
    "A",
    "kill_score",
    "0.5",
    "decision",
    "EXECUTE",
    "steps",
    "{not JSON",
  ],
  [
    "plan_id",
    "00000000000000ab",
    "symbol",
    SYMBOL,
    "action",
    "A",
    "kill_score",
    "0.5",
    "decision",
    "PERHAPS",
    "steps",
    "[]",
  ],
];

/** A case about every permit of a batch. */
function ofGrants(
  name: string,
  breaks: string,
  read: string,
  flaws: (bench: Bench, plan: Plan) => Promise<string[]>,
): Case {
  return { name, breaks, read, run: (bench) => flawsOfGrants(bench, flaws) };
}
