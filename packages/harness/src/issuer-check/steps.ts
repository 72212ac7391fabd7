/** What the cases have in common. */
import type { Bench, Plan } from "./bench.ts";

export interface Case {
  name: string;
  /** What goes wrong in a pipeline with an issuer that fails it. */
  breaks: string;
  /** A section of docs/issuers.md. */
  read: string;
  /** Only where there are several. */
  ofPartitions?: true;
  /** @returns what is wrong; empty: passed */
  run: (bench: Bench) => Promise<string[]>;
}

/** Every last digit of a plan id once: some issuers decide by it. */
export const PLANS = 16;
/** Longer than the idle time after which entries are reclaimed. */
export const RECLAIM_MS = 20_000;

/** It runs and has answered what came before. */
export async function ready(bench: Bench): Promise<void> {
  await bench.subject.start();
  await bench.untilAnswered(await bench.publish(1));
}

/** The greatest id before these plans: after a SETID to it the group reads them again. */
function before([first]: readonly Plan[]): string {
  const [ms = "0", sequence = "0"] = (first?.attempt ?? "0-0").split("-");
  return BigInt(sequence) > 0n ? `${ms}-${BigInt(sequence) - 1n}` : `${BigInt(ms) - 1n}-${2n ** 64n - 1n}`;
}

export async function giveAgain(bench: Bench, plans: readonly Plan[]): Promise<void> {
  await bench.redis.xgroup("SETID", bench.keys.streams.plan, bench.group, before(plans));
  // A blocked read notices a new entry, not the SETID.
  await bench.untilAnswered(await bench.publish(1));
  await bench.untilIdle();
}

export async function answeredOnce(bench: Bench, plans: readonly Plan[]): Promise<string[]> {
  const answers = await bench.answers(plans);
  return plans.flatMap(({ planId, attempt }) => {
    const count = answers.get(attempt)?.length ?? 0;
    return count === 1 ? [] : [`plan ${planId}: ${count} answers`];
  });
}

/** These plans were read, and got neither permit nor wake-up. */
export async function unanswered(bench: Bench, plans: readonly Plan[]): Promise<string[]> {
  await bench.untilAnswered(await bench.publish(1));
  await bench.untilIdle();
  const answers = await bench.answers(plans);
  const found: string[] = [];
  for (const plan of plans) {
    if ((answers.get(plan.attempt) ?? []).length > 0) found.push(`plan ${plan.planId}: an answer`);
    if (await bench.isGranted(plan)) found.push(`plan ${plan.planId}: a permit`);
  }
  return found;
}

export async function halted(bench: Bench, key: string, value: string): Promise<string[]> {
  await ready(bench);
  await bench.redis.set(key, value);
  try {
    return await granted(bench);
  } finally {
    await bench.redis.del(key);
  }
}

/** What it permits of new plans. */
export async function granted(bench: Bench): Promise<string[]> {
  const plans = await bench.publish(PLANS);
  await bench.untilIdle();
  const found: string[] = [];
  for (const plan of plans) if (await bench.isGranted(plan)) found.push(`plan ${plan.planId}: a permit`);
  return found;
}

/** Two plans, the first of which both instances have read before either could answer: one was taken for dead. */
export async function bothHold(bench: Bench): Promise<Plan[]> {
  const { subject, redis, keys, group } = bench;
  // Redis answers the blocked read of a paused process: one instance gets the first plan, the other one both.
  subject.signal("SIGSTOP");
  const first = await bench.publish(1);
  await redis.xgroup("SETID", keys.streams.plan, group, before(first));
  const second = await bench.publish(1);
  subject.signal("SIGCONT");
  return [...first, ...second];
}

/** What is wrong with the permits of a batch of plans. */
export async function flawsOfGrants(
  bench: Bench,
  flaws: (bench: Bench, plan: Plan) => Promise<string[]>,
): Promise<string[]> {
  await ready(bench);
  const plans = await bench.publish(PLANS);
  await bench.untilAnswered(plans);
  const found: string[] = [];
  let grants = 0;
  for (const plan of plans) {
    if (!(await bench.isGranted(plan))) continue;
    grants += 1;
    found.push(...(await flaws(bench, plan)));
  }
  if (grants === 0)
    found.push(`none of ${PLANS} plans was permitted: give it an environment in which it permits (--env)`);
  return found;
}
