/** Faults of processes: they die at any moment or between two commands, they freeze, or they are overloaded. */
import { setTimeout as delay } from "node:timers/promises";
import { EVERYWHERE, type FaultKind, type FaultContext } from "./fault-kind.ts";
import type { Member } from "./system.ts";

const STOP_MS = 2_000;
/** Longer than 10 s, after which other replicas reclaim the frozen one's entries. */
const FREEZE_MS = 12_000;
/** Longer than the 3 s for which P3.3's booker owns the books without renewing. */
const BOOKER_FROZEN_MS = { low: 3_500, high: 8_000 } as const;
/** For the booker that comes back to do what it was about to do. */
const BOTH_MS = 1_000;
const OUTAGE_MS = 30_000;
/** About 3,000 proposals per outage, which exceed the backlog limit of 1,000 entries in the first half. */
const OUTAGE_RATE_PER_SEC = 100;
const BURST_PLANS = { low: 100, high: 400 } as const;
/** The number of coming frames from which the last one is chosen; covers a few plans. */
const FRAMES_AHEAD = 60;
/** Without traffic there are no frames. */
const FRAME_TIMEOUT_MS = 5_000;

export const PROCESS_FAULTS: Readonly<Record<string, FaultKind>> = {
  kill: {
    meaning: "SIGKILL of a service, restarted as a supervisor would",
    weight: 4,
    on: EVERYWHERE,
    run: async (context) => {
      const member = anyMember(context);
      await context.system.killAndRestart(member);
      return [{ kind: "kill", target: member.name }];
    },
  },
  "kill-at-frame": {
    meaning: "SIGKILL of a service before or after one chosen command, reply or exchange answer",
    weight: 8,
    run: async (context) => {
      const member = anyMember(context);
      const where = await killAtFrame(context, member);
      return [{ kind: "kill-at-frame", target: `${member.name} ${where}` }];
    },
  },
  "issuer-outage": {
    meaning: `an issuer is down for ${OUTAGE_MS / 1000} s while ${OUTAGE_RATE_PER_SEC} proposals per second arrive`,
    weight: 1,
    on: EVERYWHERE,
    run: issuerOutage,
  },
  stop: {
    meaning: `SIGSTOP of a service for ${STOP_MS / 1000} s`,
    weight: 2,
    on: EVERYWHERE,
    run: (context) => freeze(context, "stop", STOP_MS),
  },
  freeze: {
    meaning: `SIGSTOP of a service for ${FREEZE_MS / 1000} s: long enough for other replicas to reclaim its entries`,
    weight: 1,
    on: EVERYWHERE,
    run: (context) => freeze(context, "freeze", FREEZE_MS),
  },
  "booker-returns": {
    meaning: `SIGSTOP of P3.3 for up to ${BOOKER_FROZEN_MS.high / 1000} s: a second replica books the exchange's events; the first one comes back, and then the second one stops or dies`,
    weight: 1,
    on: EVERYWHERE,
    run: replaceBooker,
  },
  burst: {
    meaning: `${BURST_PLANS.low}-${BURST_PLANS.high} proposals at once`,
    weight: 2,
    on: EVERYWHERE,
    run: async ({ random, proposer }) => {
      const count = random.between(BURST_PLANS.low, BURST_PLANS.high);
      await proposer.burst(count);
      return [{ kind: "burst", target: `${count} proposals` }];
    },
  },
};

export function anyMember({ system, random }: FaultContext): Member {
  return random.pick(system.members);
}

async function freeze(context: FaultContext, kind: string, ms: number) {
  const member = anyMember(context);
  member.process.pause();
  await delay(ms);
  member.process.resume();
  return [{ kind, target: member.name }];
}

async function replaceBooker({ system, random }: FaultContext) {
  const frozenMs = random.between(BOOKER_FROZEN_MS.low, BOOKER_FROZEN_MS.high);
  const booker = system.members.find(({ name }) => name === "position-brain");
  if (booker === undefined) throw new Error("no position-brain is here");
  const replica = await booker.launch(`${booker.name}@chaos-replica`);
  booker.process.pause();
  await delay(frozenMs);
  booker.process.resume();
  await delay(BOTH_MS);
  // What it leaves undone is read on at once, or reclaimed after 10 s.
  const end = random.pick(["stop", "kill"] as const);
  await replica[end]();
  return [{ kind: "booker-returns", target: `after ${frozenMs} ms, ${end}` }];
}

/** The load continues regardless: plans wait in vain until the backlog is full and the rest are blocked. */
async function issuerOutage({ system, random, proposer }: FaultContext) {
  const member = random.pick(system.members.filter(({ service }) => service.issuer !== undefined));
  member.up = false;
  await member.process.kill();
  const fromMs = performance.now();
  while (performance.now() - fromMs < OUTAGE_MS) {
    await proposer.burst(1);
    await delay(1000 / OUTAGE_RATE_PER_SEC);
  }
  const plans = [...proposer.since(fromMs)].map(([, plan]) => plan);
  const full = plans.filter(({ reason }) => reason === "backlog_full").length;
  await system.restart(member);
  return [
    {
      kind: "issuer-outage",
      target: `${member.name}, ${plans.length} proposals, ${full} of them blocked by a full backlog`,
    },
  ];
}

/** @returns where it died, in words; "idle" if no frame came in time and it was killed anyway */
async function killAtFrame({ system, random }: FaultContext, member: Member): Promise<string> {
  const place = random.pick(["before request", "after request", "before reply"] as const);
  let left = random.between(1, FRAMES_AHEAD);
  const reached = Promise.withResolvers<string>();
  member.onFrame = ({ server, direction, summary }) => {
    if (!place.endsWith(direction)) return "pass";
    left -= 1;
    if (left !== 0) return "pass";
    member.up = false;
    process.kill(member.process.pid, "SIGKILL");
    reached.resolve(`${place} ${server} ${summary.split(" ").slice(0, 2).join(" ")}`);
    return place === "after request" ? "pass" : "drop";
  };
  const idle = delay(FRAME_TIMEOUT_MS, "idle", { ref: false });
  const where = await Promise.race([reached.promise, idle]);
  member.onFrame = undefined;
  await system.killAndRestart(member);
  return where;
}
