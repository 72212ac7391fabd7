/** The kill switch and the disarm of all partitions (docs/adr/0039). */
import { readKillSwitch } from "@quantum/service-kit";
import { type Access, PartitionsError } from "./access.ts";
import { refusesRights } from "./access-problem.ts";
import {
  clearDisarm,
  giveKillReason,
  HALT,
  halt,
  type Halted,
  type Mandate,
  setKillSwitch,
} from "./changes.ts";
import {
  everywhere,
  type HaltAccess,
  killSwitchPlaces,
  type Patience,
  type Reached,
  WIRE_NAME,
  wirePlace,
} from "./everywhere.ts";
import type { Halts } from "./halts.ts";
import type { NamedPlace } from "./place.ts";
import { Refusal } from "./refusal.ts";

export interface HaltedEverywhere extends Halted {
  /** Without a place that is missing, all halts. */
  readonly reached: Reached<Halted>;
}

/** Turns every kill switch on, with whatever right the Redis user has. */
export async function haltEverywhere(
  access: Access,
  by: Mandate,
  patience?: Patience,
): Promise<HaltedEverywhere> {
  const uncounted = access.uncounted?.();
  const reached =
    uncounted === undefined
      ? await everywhere(
          killSwitchPlaces(access),
          (place) => (place.name === WIRE_NAME ? haltWire(place) : halt(place, by)),
          patience,
        )
      : await haltUncounted(access, uncounted);
  const results = reached.done.map(({ result }) => result);
  return {
    changed: results.some(({ changed }) => changed),
    recorded: uncounted === undefined && results.every(({ recorded }) => recorded),
    reached,
  };
}

/** Running apply-layers show every partition the wire's key. */
async function haltUncounted({ redisOf }: HaltAccess, why: Error): Promise<Reached<Halted>> {
  const wire = wirePlace(redisOf);
  const result = await haltWire(wire);
  const error = why instanceof PartitionsError ? new Refusal(why.message) : why;
  return {
    done: [{ place: wire, result }],
    missing: [{ place: { ...wire, name: "the partitions, whose number is not known" }, error }],
  };
}

/** Each partition has the entry that says who did it. */
async function haltWire({ redis, keys }: NamedPlace): Promise<Halted> {
  const { on } = await readKillSwitch(redis, keys);
  if (on) return { changed: false, recorded: true };
  await redis.set(keys.killSwitch, HALT).catch(async (error: unknown) => {
    if (!refusesRights(error)) throw error;
    await redis.append(keys.killSwitch, HALT);
  });
  return { changed: true, recorded: true };
}

/**
 * Turns every kill switch off.
 * @returns where it was on
 */
export async function endHaltEverywhere(
  access: Access,
  by: Mandate,
  patience?: Patience,
): Promise<Reached<boolean>> {
  const ended = new Set<NamedPlace>();
  return everywhere(
    killSwitchPlaces(access),
    async (place) => {
      // Who halts while this goes on reaches the others, and perhaps not this one.
      await refuseIfOn(ended);
      const wasOn = await (place.name === WIRE_NAME ? endWireHalt(place) : setKillSwitch(place, false, by));
      ended.add(place);
      return wasOn;
    },
    patience,
  );
}

async function refuseIfOn(places: ReadonlySet<NamedPlace>): Promise<void> {
  const found = await Promise.allSettled([...places].map(({ redis, keys }) => readKillSwitch(redis, keys)));
  if (found.some((read) => read.status === "fulfilled" && read.value.on))
    throw new Refusal("it has been turned on again elsewhere meanwhile");
}

async function endWireHalt({ redis, keys }: NamedPlace): Promise<boolean> {
  return (await redis.del(keys.killSwitch)) === 1;
}

/** Records in every partition why the kill switch was turned on. */
export async function giveKillReasonEverywhere(access: Access, by: Mandate): Promise<Reached<void>> {
  return everywhere([...access.partitions.all], (place) => giveKillReason(place, by));
}

/**
 * Ends the disarms that an operator was shown.
 * @returns false where it is no longer the one that was shown
 */
export async function clearDisarmEverywhere(
  shown: readonly { place: NamedPlace; halts: Halts }[],
  by: Mandate,
  patience?: Patience,
): Promise<Reached<boolean>> {
  const shownAt = new Map(shown.map(({ place, halts }) => [place, halts.shown]));
  return everywhere(
    [...shownAt.keys()],
    (place) => clearDisarm(place, shownAt.get(place) ?? { disarm: "", today: "" }, by),
    patience,
  );
}
