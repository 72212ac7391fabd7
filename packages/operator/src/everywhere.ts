/**
 * Changes that belong to every partition. Each partition's is a step of its own, so they do not come about at once: whoever
 * asks is told where the change is made, and where not yet.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys } from "@quantum/contract";
import { dispositionOf } from "@quantum/redis";
import type { Access, NamedPlace } from "./place.ts";
import { Refusal } from "./refusal.ts";

/** The name of the place that has the wire's kill switch, where there are several partitions. */
export const WIRE_NAME = "the wire's key";

/** What halts need of an access: it may be to some of the partitions only. */
export type HaltAccess = Pick<Access, "partitions" | "redisOf">;

/** Where a kill switch is: in each partition and, with several, under the wire's key, which they are shown. */
export function killSwitchPlaces(access: HaltAccess): NamedPlace[] {
  const { partitions, redisOf } = access;
  const { account } = partitions;
  if (account.name === "") return [{ ...account, redis: redisOf(account.keys.killSwitch) }];
  return [...partitions.all, wirePlace(redisOf)];
}

export function wirePlace(redisOf: HaltAccess["redisOf"]): NamedPlace {
  const keys = createKeys();
  return { name: WIRE_NAME, keys, redis: redisOf(keys.killSwitch) };
}

export interface Reached<T> {
  /** In the order of the places. */
  readonly done: readonly { place: NamedPlace; result: T }[];
  readonly missing: readonly { place: NamedPlace; error: Error }[];
}

/** How long to go on with what does not answer. */
export interface Patience {
  /** Ends the repetition. */
  readonly stop: AbortSignal;
  /** Whenever something else is missing than before. */
  readonly tell: (reached: Reached<unknown>) => void;
}

const REPEAT_MS = 500;

/**
 * Takes the step at every place, and with patience again wherever Redis did not do it for now.
 * @throws what the step throws where there are no several partitions, or if it is refused at all of them
 */
export async function everywhere<T>(
  places: readonly NamedPlace[],
  step: (place: NamedPlace) => Promise<T>,
  patience?: Patience,
): Promise<Reached<T>> {
  const only = places.find(({ name }) => name === "");
  if (only !== undefined) return { done: [{ place: only, result: await step(only) }], missing: [] };
  const results = new Map<NamedPlace, { result: T } | { error: Error }>();
  for (let told = ""; ;) {
    const left = places.filter((place) => {
      const result = results.get(place);
      return result === undefined || ("error" in result && mayPass(result.error));
    });
    const tried = left.map(async (place) => {
      const result = await step(place).then(
        (value) => ({ result: value }),
        (error: unknown) => ({ error: error as Error }),
      );
      results.set(place, result);
    });
    await Promise.all(tried);
    const reached = sorted(places, results);
    const passing = reached.missing.filter(({ error }) => mayPass(error));
    const [refused] = reached.missing;
    if (refused !== undefined && reached.done.length + passing.length === 0) throw refused.error;
    if (passing.length === 0 || patience === undefined || patience.stop.aborted) return reached;
    const names = namesOf(reached.missing);
    if (names !== told) patience.tell(reached);
    told = names;
    await delay(REPEAT_MS, undefined, { signal: patience.stop }).catch(() => undefined);
  }
}

/** What Redis refuses, and what it answers with an error of the command's, it would answer again. */
function mayPass(error: Error): boolean {
  return !(error instanceof Refusal) && dispositionOf(error).kind === "passes";
}

function sorted<T>(
  places: readonly NamedPlace[],
  results: ReadonlyMap<NamedPlace, { result: T } | { error: Error }>,
): Reached<T> {
  const done: { place: NamedPlace; result: T }[] = [];
  const missing: { place: NamedPlace; error: Error }[] = [];
  for (const place of places) {
    const result = results.get(place);
    if (result === undefined) continue;
    if ("error" in result) missing.push({ place, error: result.error });
    else done.push({ place, result: result.result });
  }
  return { done, missing };
}

/** As in "q0, q1 and the wire's key". */
export function namesOf(some: readonly { place: NamedPlace }[]): string {
  const names = some.map(({ place }) => place.name);
  const last = names.pop() ?? "";
  return names.length === 0 ? last : `${names.join(", ")} and ${last}`;
}

/** As in "q3 (Redis does not answer)", by reason. */
export function missingText(missing: Reached<unknown>["missing"]): string {
  const byReason = Map.groupBy(missing, ({ error }) => reasonOf(error));
  return [...byReason].map(([reason, some]) => `${namesOf(some)} (${reason})`).join("; ");
}

function reasonOf(error: Error): string {
  if (error instanceof Refusal) return error.message;
  const disposition = dispositionOf(error);
  if (disposition.kind === "passes") return disposition.meaning;
  return disposition.kind === "refused" ? disposition.advice : error.message;
}
