import type { Access } from "./access.ts";
import { force, type Forced, type Mandate } from "./changes.ts";

/** What is known of a plan in one partition decides before that others know nothing. */
const ORDER: readonly Forced["kind"][] = ["order", "waiting", "cleared", "free"];

/**
 * Frees a plan of which only its id is known: looks in all partitions, and changes the one that has it. Without a mandate it only
 * tells what it would do.
 * @throws if a partition does not answer: it may have the plan's order
 */
export async function forceFound(
  { partitions }: Pick<Access, "partitions">,
  planId: string,
  by?: Mandate,
): Promise<Forced> {
  if (partitions.all.length === 1) return force(partitions.account, planId, by);
  const found = await Promise.all(
    partitions.map(async (partition) => ({ partition, forced: await force(partition, planId) })),
  );
  const rank = ({ forced }: (typeof found)[number]) => ORDER.indexOf(forced.kind);
  const [first] = found.toSorted((a, b) => rank(a) - rank(b));
  if (first === undefined || first.forced.kind !== "cleared" || by === undefined)
    return first?.forced ?? { kind: "free" };
  return force(first.partition, planId, by);
}
