/** Faults of wall clocks: one steps, by a lot or a little, and steps back some seconds later. */
import { setTimeout as delay } from "node:timers/promises";
import { anyMember } from "./faults-process.ts";
import { EVERYWHERE, type FaultKind, type FaultContext } from "./fault-kind.ts";

const SHIFTS_MS = [3_600_000, -3_600_000, 15_000, -15_000] as const;
const HELD_MS = { low: 500, high: 5_000 } as const;
/** All services use Redis's clock, so it is chosen this often out of ten. */
const REDIS_IN_TEN = 4;

export const TIME_FAULTS: Readonly<Record<string, FaultKind>> = {
  time: {
    meaning:
      "the wall clock of a service or, if gcc is installed, of Redis steps by 15 s or 1 h for some seconds",
    weight: 3,
    on: EVERYWHERE,
    run: async (context) => {
      const shiftMs = context.random.pick(SHIFTS_MS);
      const heldMs = context.random.between(HELD_MS.low, HELD_MS.high);
      const { name, shift } = anyClock(context);
      // Times repeat after a step, so an earlier halt could be mistaken for a later one.
      if (name === "redis") context.halts.length = 0;
      await shift(shiftMs);
      await delay(heldMs);
      await shift(0);
      return [{ kind: "time", target: `${name} ${shiftMs / 1000} s for ${heldMs} ms` }];
    },
  },
};

function anyClock(context: FaultContext): { name: string; shift: (ms: number) => Promise<void> } {
  const { system, random } = context;
  const member = anyMember(context);
  // Draws the random number in any case: without gcc the same seed gives the same faults, apart from these.
  const isRedis = random.between(1, 10) <= REDIS_IN_TEN && system.servers.canShiftClock;
  const { lone } = system.servers;
  return isRedis && lone !== undefined
    ? { name: "redis", shift: (ms) => lone.shiftClock(ms) }
    : { name: member.name, shift: (ms) => member.clock(ms) };
}
