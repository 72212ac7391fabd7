/** Plans that are forgotten, so that their proposals may open them again: what the operators' reset does to each. */
import { bindScript } from "@quantum/redis";
import type { Partition } from "@quantum/service-kit";
import type { Access } from "./access.ts";
import { type Mandate, planChange } from "./changes.ts";
import type { Place } from "./place.ts";
import { namesUnder } from "./names-under.ts";

const resetScript = bindScript("operator/reset");

export type Reset =
  /** May open again. `state` of the plan's record, or `unknown`. */
  | { kind: "reset"; state: string }
  /** Left alone. */
  | { kind: "order" }
  /** There is nothing to forget. */
  | { kind: "free" };

/** Without a mandate it only tells what it would do. */
export async function reset(place: Place, planId: string, by?: Mandate): Promise<Reset> {
  const [status, state = ""] = await resetScript(place.redis, planChange(place, planId, by));
  switch (status) {
    case "RESET":
      return { kind: "reset", state };
    case "ORDER":
      return { kind: "order" };
    case "FREE":
      return { kind: "free" };
    default:
      throw new Error(`operator/reset answered ${String(status)}`);
  }
}

interface Candidate {
  planId: string;
  partition: Partition;
}

/** A plan, and the partition that knows it. */
export interface Resettable extends Candidate {
  found: Reset;
}

/** More at once would keep Redis from the pipeline. */
const AT_ONCE = 100;

/**
 * Those of the plans that a partition knows, or, without ids, all plans that can be reset.
 * @throws if a partition does not answer: it may have a plan's order
 */
export async function findResettable(access: Access, planIds?: readonly string[]): Promise<Resettable[]> {
  const candidates = planIds === undefined ? await knownPlans(access) : inAll(access, planIds);
  const found = await resetEach(candidates);
  const closed = new Set(found.flatMap(({ planId, found: { kind } }) => (kind === "order" ? [planId] : [])));
  return found.filter(({ planId, found: { kind } }) =>
    closed.has(planId) ? kind === "order" && planIds !== undefined : kind === "reset",
  );
}

/** Without a mandate it only tells what it would do. @returns what became of each, in their order */
export async function resetEach(plans: readonly Candidate[], by?: Mandate): Promise<Resettable[]> {
  const done: Resettable[] = [];
  for (let from = 0; from < plans.length; from += AT_ONCE) {
    const some = plans.slice(from, from + AT_ONCE);
    const resets = some.map(async ({ planId, partition }) => ({
      planId,
      partition,
      found: await reset(partition, planId, by),
    }));
    done.push(...(await Promise.all(resets)));
  }
  return done;
}

function inAll({ partitions }: Access, planIds: readonly string[]): Candidate[] {
  return planIds.flatMap((planId) => partitions.map((partition) => ({ planId, partition })));
}

const PLAN_ID = /^[0-9a-f]{16}$/;

/** By their marks and records. */
async function knownPlans({ partitions }: Access): Promise<Candidate[]> {
  const found = await Promise.all(
    partitions.map(async (partition) => {
      const { keys, redis } = partition;
      const planIds = await namesUnder(redis, keys.dedupe(""), keys.published(""), keys.plan(""));
      return planIds.filter((id) => PLAN_ID.test(id)).map((planId) => ({ planId, partition }));
    }),
  );
  return found.flat();
}
