/** Refreshes of all symbols while the Redis of one partition does not answer. */
import { partitionOf } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { SYMBOLS } from "@quantum/harness/rig";
import { openPartitions } from "@quantum/service-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPairStore, type PairStore } from "./pair-store.ts";
import { PairRefresh } from "./refresh.ts";
import { type Rig, startRig } from "./rig.fixture.ts";

const COUNT = 3;
const AWAY = "ETHUSDT";
const HERE = "BTCUSDT";

let rig: Rig;
let clients: RedisClient[];
let pairs: PairStore;
let refresh: PairRefresh;
let failed: (string | undefined)[];

beforeEach(async () => {
  rig = await startRig();
  clients = [];
  const partitions = openPartitions(COUNT, (_, name) => {
    const redis = connectForCommands({ url: rig.server.url, name: `test${name}`, onError: () => undefined });
    clients.push(redis);
    return { redis, connectForBlocking: () => redis };
  });
  pairs = createPairStore({ partitions, source: "exchange-sim" });
  failed = [];
  refresh = new PairRefresh({
    exchange: rig.exchange,
    audits: rig.exchange,
    pairs,
    allowlist: new Set([HERE, AWAY]),
    isListed: () => true,
  });
  await refresh.all();
  refresh.on("failed", ({ symbol }) => failed.push(symbol));
});
afterEach(async () => {
  refresh.stop();
  await Promise.all(clients.map((client) => disconnect(client)));
  await rig.stop();
});

const end = (symbol: string) => disconnect(clients[partitionOf(symbol, COUNT)] as RedisClient);
const amountOf = async (symbol: string) => (await pairs.read(symbol)).ledger?.amt;

describe("a partition that does not answer", () => {
  it("keeps no pair of another one from being refreshed, and costs no request", async () => {
    expect(await amountOf(HERE)).toBe("0.062");
    await end(AWAY);
    await rig.move(HERE, "0.050");
    await rig.move(AWAY, "-1.900");
    const path = "GET /fapi/v1/userTrades";
    const before = (await rig.requests())[path] ?? 0;
    await refresh.all();
    expect(await amountOf(HERE)).toBe("0.05");
    const theirs = SYMBOLS.filter((symbol) => partitionOf(symbol, COUNT) === partitionOf(AWAY, COUNT));
    expect(failed).toHaveLength(theirs.length);
    expect(new Set(failed)).toEqual(new Set(theirs));
    // Of the symbol that moved, and of no other.
    expect((await rig.requests())[path]).toBe(before + 1);
  });

  it("fails the refresh if it is the only one that is asked", async () => {
    await end(AWAY);
    await end(HERE);
    await expect(refresh.all()).rejects.toThrow("Connection is closed");
    expect(failed).toEqual([undefined]);
  });
});
