/** The pipeline as it is now. */
import { CLOCK_BOUND_MS } from "@quantum/contract";
import { clocksApart, notDurable, readFacts } from "@quantum/redis";
import type { OpenAccess } from "./access.ts";
import { readExitState } from "./exit/state.ts";
import { readGroups, readServices } from "./groups.ts";
import { readHalts, readKillRecord } from "./halts.ts";
import { readPauses } from "./pauses.ts";
import { readSymbols } from "./symbols.ts";
import { lastWait } from "./waits.ts";

export type Status = Awaited<ReturnType<typeof readStatus>>;

export async function readStatus(access: OpenAccess) {
  const { redis, keys, url } = access;
  const nowMs = access.nowMs();
  const [facts, halts, exit, pauses, groups, symbols, ok, block, deadLetters] = await Promise.all([
    readFacts(redis),
    readHalts(access),
    readExitState(access),
    readPauses(access),
    readGroups(access),
    readSymbols(access, nowMs),
    lastWait(access, "ok"),
    lastWait(access, "blocked"),
    redis.xlen(keys.streams.deadLetter),
  ]);
  return {
    nowMs,
    redis: {
      url,
      version: facts.version,
      notDurable: [...notDurable(facts), ...clocksApart(facts, CLOCK_BOUND_MS)],
    },
    killSwitch: halts.killSwitch,
    killRecord: halts.killSwitch.on ? await readKillRecord(access) : null,
    disarm: halts.disarm,
    exit,
    pauses,
    services: await readServices(access, groups),
    groups,
    symbols,
    lastOk: ok,
    lastBlock: block,
    deadLetters,
  };
}
