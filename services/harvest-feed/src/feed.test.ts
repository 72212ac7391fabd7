import { once } from "node:events";
import { createKeys } from "@quantum/contract";
import { connectForBlocking, hashesOn } from "@quantum/redis";
import { openPartitions } from "@quantum/service-kit";
import { fieldsOf } from "@quantum/streams";
import { useRedis } from "@quantum/harness/vitest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Feed, type FeedOptions } from "./feed.ts";
import { createGenerator } from "./generate.ts";
import type { FeedProposal } from "./proposals.ts";
import { createReplay, parseReplay } from "./replay.ts";

const keys = createKeys();
const FAST = 1_000;

const { redis, server } = await useRedis();
let feed: Feed | undefined;
let published: FeedProposal[];

beforeEach(async () => {
  await redis.flushall();
  published = [];
});
afterEach(async () => {
  await feed?.stop();
  feed = undefined;
});

const generator = (...symbols: string[]) => createGenerator({ symbols, seed: 1, now: Date.now });
const replay = (...lines: Record<string, string>[]) =>
  createReplay(
    parseReplay(
      lines
        .map((fields) => JSON.stringify({ harvest_action: "NONE", kill_score: "0.5", ...fields }))
        .join("\n"),
      "FEED_FILE=test",
    ),
  );

const place = {
  redis,
  connectForBlocking: () =>
    connectForBlocking({ url: server.url, name: "test:blocking", onError: () => undefined }),
};
const onePartition = () => {
  const partitions = openPartitions(1, () => place);
  return { partitions, intake: { ...partitions.account, hashes: hashesOn(redis) } };
};

function makeFeed(options: Partial<FeedOptions> & Pick<FeedOptions, "source">): Feed {
  const made = new Feed({
    ...onePartition(),
    ratePerSec: FAST,
    inFlightPerSymbol: 1,
    max: Number.POSITIVE_INFINITY,
    ...options,
  });
  made.on("published", (proposal) => published.push(proposal));
  feed = made;
  return made;
}

async function snapshot(symbol: string, version: number, amount = "0.062"): Promise<void> {
  await redis.hset(keys.snapshot(symbol), {
    position_amt: amount,
    side: "LONG",
    entry_price: "100.0",
    mark_price: "105.0",
    version: String(version),
  });
}

/** Ends a plan and waits until the feed has noticed. */
async function end(of: Feed, plan: FeedProposal | undefined, executed: boolean): Promise<void> {
  const seen = once(of, "ended");
  await redis.xadd(
    keys.streams.result,
    "*",
    "plan_id",
    plan?.planId ?? "",
    "symbol",
    plan?.symbol ?? "",
    "executed",
    executed ? "True" : "False",
  );
  await seen;
}

const nextPublished = async (of: Feed): Promise<FeedProposal> => {
  const [proposal] = (await once(of, "published")) as [FeedProposal];
  return proposal;
};

/**
 * The feed checks the snapshots of symbols that may have another plan. This many checks without a proposal mean that it
 * waits.
 */
const LOOKS = 3;
async function looksAtSnapshots(): Promise<void> {
  const calls = async () =>
    Number(/cmdstat_hgetall:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
  const before = await calls();
  await expect.poll(calls).toBeGreaterThanOrEqual(before + LOOKS);
}

describe("the feed", () => {
  it("writes the proposal to hash and stream alike, and leaves no older field", async () => {
    await snapshot("BTCUSDT", 1);
    await redis.hset(keys.proposal("BTCUSDT"), "older", "field");
    const running = makeFeed({ source: generator("BTCUSDT") });
    const first = once(running, "published");
    await running.start();
    await first;
    const hash = await redis.hgetall(keys.proposal("BTCUSDT"));
    const [entry] = await redis.xrange(keys.streams.proposal, "-", "+");
    expect(hash).toEqual(published[0]?.fields);
    expect(fieldsOf(entry?.[1] ?? [])).toEqual({ symbol: "BTCUSDT", ...hash });
  });

  it("proposes nothing more for a symbol whose plan has no result, and goes on when it is refused", async () => {
    await snapshot("BTCUSDT", 1);
    await snapshot("ETHUSDT", 1);
    const running = makeFeed({ source: generator("BTCUSDT", "ETHUSDT") });
    await running.start();
    await expect.poll(() => published.map(({ symbol }) => symbol)).toEqual(["BTCUSDT", "ETHUSDT"]);

    const next = nextPublished(running);
    await end(running, published[0], false);
    expect((await next).symbol).toBe("BTCUSDT");
    expect(published).toHaveLength(3);
    expect(running.inFlight("BTCUSDT")).toBe(1);
  });

  it("lets as many plans of a symbol wait as it may", async () => {
    await snapshot("BTCUSDT", 1);
    await snapshot("ETHUSDT", 1, "0");
    const running = makeFeed({ source: generator("BTCUSDT", "ETHUSDT"), inFlightPerSymbol: 3 });
    await running.start();
    await expect.poll(() => published.length).toBe(3);
    await looksAtSnapshots();
    expect(published).toHaveLength(3);
  });

  it("after an execution waits until the snapshot is another one", async () => {
    await snapshot("BTCUSDT", 1);
    const running = makeFeed({ source: generator("BTCUSDT") });
    await running.start();
    await expect.poll(() => published.length).toBe(1);

    await end(running, published[0], true);
    await looksAtSnapshots();
    expect(published).toHaveLength(1);

    const next = nextPublished(running);
    await snapshot("BTCUSDT", 2);
    await next;
    expect(published).toHaveLength(2);
  });

  it("proposes nothing without a position, and begins when there is one", async () => {
    await snapshot("BTCUSDT", 1, "0");
    const running = makeFeed({ source: generator("BTCUSDT", "ETHUSDT") });
    const next = nextPublished(running);
    await running.start();
    await looksAtSnapshots();
    expect(published).toEqual([]);
    await snapshot("BTCUSDT", 2);
    expect((await next).symbol).toBe("BTCUSDT");
  });

  it("no longer waits for a result that never comes", async () => {
    await snapshot("BTCUSDT", 1);
    const running = makeFeed({ source: generator("BTCUSDT"), max: 2, resultTimeoutMs: 100 });
    const overdue: string[] = [];
    running.on("overdue", ({ planId }) => overdue.push(planId));
    await running.start();
    await expect.poll(() => overdue).toEqual([expect.any(String), expect.any(String)]);
    expect(overdue).toEqual(published.map(({ planId }) => planId));
    expect(running.inFlight("BTCUSDT")).toBe(0);
  });

  it("is done after the maximum, and asks Redis for nothing once the last result has come", async () => {
    await snapshot("BTCUSDT", 1);
    await snapshot("ETHUSDT", 1);
    const running = makeFeed({ source: generator("BTCUSDT", "ETHUSDT"), max: 2 });
    const done = once(running, "done");
    await running.start();
    expect(await done).toEqual([{ published: 2 }]);
    for (const plan of [...published]) await end(running, plan, true);
    await snapshot("BTCUSDT", 2);
    const blockingClients = async () => ((await redis.client("LIST")) as string).match(/name=test:blocking/g);
    await expect.poll(blockingClients).toBeNull();
    expect(published).toHaveLength(2);
  });

  it("replays a file once, a symbol's lines one after another, without any snapshot", async () => {
    const running = makeFeed({
      source: replay(
        { symbol: "ADAUSDT", computed_at_utc: "2026-01-01T00:00:01" },
        { symbol: "ADAUSDT", computed_at_utc: "2026-01-01T00:00:02" },
        { symbol: "SOLUSDT", computed_at_utc: "2026-01-01T00:00:03" },
      ),
    });
    const done = once(running, "done");
    await running.start();
    await expect.poll(() => published.map(({ symbol }) => symbol)).toEqual(["ADAUSDT", "SOLUSDT"]);
    await end(running, published[0], true);
    expect(await done).toEqual([{ published: 3 }]);
    expect(await redis.xlen(keys.streams.proposal)).toBe(3);
  });

  it("keeps to its rate", async () => {
    await snapshot("BTCUSDT", 1);
    const running = makeFeed({ source: generator("BTCUSDT"), ratePerSec: 20, inFlightPerSymbol: 10, max: 6 });
    const done = once(running, "done");
    const startedAt = performance.now();
    await running.start();
    await done;
    // The first comes at once. A timer may fire a millisecond early.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(5 * 49);
  });

  it("goes on when Redis comes back from an end", async () => {
    await snapshot("BTCUSDT", 1);
    const running = makeFeed({ source: generator("BTCUSDT") });
    await running.start();
    await expect.poll(() => published.length).toBe(1);
    await server.kill();
    await server.restart();
    await expect.poll(() => redis.ping().catch(() => "")).toBe("PONG");
    await snapshot("BTCUSDT", 1);
    const next = nextPublished(running);
    await end(running, published[0], false);
    await next;
    expect(published).toHaveLength(2);
  });
});
