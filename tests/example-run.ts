/** Plans that need the permit of an example as well, each verified by the executor. */
import { ISSUERS } from "@quantum/contract";
import { addRunKey } from "@quantum/harness";
import { type Rig, type RigOptions, type RigRedis, startRig, SYMBOLS } from "@quantum/harness/rig";
import { PIPELINE, type Place } from "@quantum/topology";
import { expect } from "vitest";
import { isOfFlatPosition, LARGE_MARKET, runFeed } from "./feed-run.ts";

interface Example<Kind extends RigRedis> extends RigOptions<Kind> {
  issuer: string;
  plans: number;
  /** Starts it. @returns how to end it */
  start: (place: Place, rig: Rig<Kind>) => Promise<() => Promise<unknown>>;
}

/** @returns what the streams told, and how each order's signatures were found, by plan whose position was open */
export async function runWithExample<Kind extends RigRedis = "lone">({
  issuer,
  plans,
  start,
  ...options
}: Example<Kind>) {
  const required = [...ISSUERS, issuer];
  const rig = await startRig({ market: LARGE_MARKET, ...options });
  let stop: () => Promise<unknown> = async () => undefined;
  try {
    const { keysFolder, venueUrl, redisUrl } = rig;
    await addRunKey(keysFolder, issuer);
    stop = await start({ redisUrl, venueUrl, symbols: SYMBOLS, keysFolder, stateFolder: "" }, rig);
    const env: Record<string, Record<string, string>> = {
      // Long enough for a machine that is busy with other tests.
      "apply-layer": { APPLY_REQUIRED_PERMITS: required.join(), APPLY_PERMIT_WAIT_MS: "10000" },
      executor: { EXECUTOR_REQUIRED_ISSUERS: required.join() },
    };
    await Promise.all(PIPELINE.map(({ name }) => rig.start(name, env[name] ?? {})));
    const { history } = await runFeed(rig, plans, required);
    const flat = new Set(history.results.filter(isOfFlatPosition).map(({ planId }) => planId));
    const signatures = await Promise.all(
      history.plans
        .filter(({ planId }) => !flat.has(planId))
        .map(async ({ planId, symbol }) => {
          const { redis, keys } = rig.stored.partitions.of(symbol);
          const record = await redis.hgetall(keys.plan(planId));
          const found = required.map((name) => record[`${name}_signature`] ?? "none");
          // Of one that was not executed, the reason.
          return [record["state"], ...found, ...[record["reason"], record["detail"]].filter(Boolean)].join();
        }),
    );
    for (const { redis, keys } of rig.stored.partitions.all)
      expect(await redis.xpending(keys.streams.plan, issuer)).toEqual([0, null, null, null]);
    expect(signatures.length).toBeGreaterThan(plans / 2);
    return { history, signatures };
  } finally {
    await stop();
    await rig.stop();
  }
}

/** Of a plan's record, when the executor has verified all three. */
export const ALL_VALID = "EXECUTED,valid,valid,valid";
