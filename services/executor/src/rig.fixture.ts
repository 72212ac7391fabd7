/** For tests: an executor with a real Redis and the simulated exchange. The rig spends the permits. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DRILL_SYMBOL, partitionOf } from "@quantum/contract";
import {
  type BinanceOptions,
  createAccountStream,
  createBinanceExchange,
  type Exchange,
  parseVenue,
  RuleBook,
  whenReady,
} from "@quantum/exchange";
import { createExchangeSim, type ExchangeSimOptions, type Fault, type SimOrder } from "@quantum/exchange-sim";
import { connectForBlocking, connectForCommands, disconnect, redisNow } from "@quantum/redis";
import { IssuerKeys, loadIssuerKeys, newKey, type Signer } from "@quantum/signing";
import { StreamConsumer } from "@quantum/streams";
import { patienceMs, startRedisCluster, startRedisServer } from "@quantum/harness";
import { expect } from "vitest";
import { openPartitions, type Place, Progress } from "@quantum/service-kit";
import { createEvents, type Events, reportingFrom } from "./events.ts";
import { MARKET, type ScriptedStream, scriptedStream } from "./exchange.fixture.ts";
import { reportCalls } from "./exchange-calls.ts";
import { createDrillReports } from "./exit/drill-reports.ts";
import { ExitState } from "./exit/exit-state.ts";
import { Journal } from "./journal.ts";
import { OrderEvents } from "./order-events.ts";
import { createOrderPartition } from "./order-partition.ts";
import { createQueries } from "./queries.ts";
import { signedBy, type Spent } from "./signed-entry.fixture.ts";

export const GROUP = "executor";
/** Under this name every executor of the rig owns the orders, and has for long; ownership.test.ts covers the rest. */
export const OWNER = "executor";
export const KEY = "sim-key";
export const SECRET = "sim-secret";

const ISSUERS = ["governor", "p33"];

/** In one step, as consume does it: the executor may read the entry at once. */
const PUBLISH = `
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
local kept = cjson.decode(ARGV[3])
kept[#kept + 1], kept[#kept + 2] = 'entry_id', id
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(kept))
local spent = redis.call('GET', KEYS[3])
if spent and spent:find('^%S+ %S+ %S+ %S+$') then redis.call('SET', KEYS[3], spent .. ' ' .. id .. ' ' .. ARGV[2]) end
return id`;

export type { Spent };
export type Rig<Kind extends "lone" | "cluster" = "lone"> = Awaited<ReturnType<typeof startRig<Kind>>>;

type RigOptions = Pick<ExchangeSimOptions, "orderAnswer"> & {
  /** As in PARTITIONS. */
  partitions?: number;
};

const START = {
  lone: (partitions: number) => startRedisServer({ partitions }),
  cluster: (partitions: number) => startRedisCluster({ replicas: 1, partitions }),
};

/** @param on one server, or three masters with a replica each */
export async function startRig<Kind extends "lone" | "cluster" = "lone">(
  { partitions: count = 1, ...simOptions }: RigOptions = {},
  on: Kind = "lone" as Kind,
) {
  const server = (await START[on](count)) as Awaited<ReturnType<(typeof START)[Kind]>>;
  const connection = (name: string) => ({ url: server.url, name, onError: () => undefined });
  const places = openPartitions(count, (slotOf) => ({
    redis: connectForCommands({ ...connection("test"), slotOf }),
    connectForBlocking: () => connectForBlocking({ ...connection("test"), slotOf }),
  }));
  const { keys, redis } = places.account;
  /** A drill is in the account's partition. */
  const placeOf = (symbol: string) => (symbol === DRILL_SYMBOL ? places.account : places.of(symbol));
  const keysOf = (symbol: string) => placeOf(symbol).keys;
  const sim = createExchangeSim({
    market: MARKET,
    strategy: false,
    apiKey: KEY,
    apiSecret: SECRET,
    ...simOptions,
  });
  await sim.listen();
  const folder = await mkdtemp(join(tmpdir(), "quantum-keys-"));
  const publicFile = join(folder, "issuers.json");
  const signers = new Map<string, Signer>();
  for (const issuer of ISSUERS)
    signers.set(issuer, await newKey({ issuer, privateFile: join(folder, `${issuer}.pem`), publicFile }));
  const issuerKeys = await loadIssuerKeys(publicFile);
  let planNo = 0;
  const fresh = MARKET.map(({ symbol }) => symbol);

  const stateFolder = (consumer: string) => join(folder, `${consumer}.state`);
  let isOwned = false;
  /** As the owner's renewals do, whatever Redis has lost. */
  const renew = async (place: Place) =>
    isOwned && place.redis.hset(place.keys.orderOwner, { instance: OWNER, since_ms: "1", seen_ms: "1" });
  /** As an apply-layer does for several partitions. */
  const showKillSwitch = async (place: Place) =>
    count > 1 && place.redis.set(place.keys.killSwitchSeen, `${await redisMs(place)} running`);
  const takeOwnership = async () => {
    isOwned = true;
    await Promise.all(places.map(renew));
  };
  const redisMs = async ({ redis: asked }: Pick<Place, "redis"> = places.account): Promise<number> => {
    const [seconds, micros] = await asked.time();
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  };

  async function control(method: string, path: string, body?: object): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(
      `${sim.url}${path}`,
      body ? { method, headers, body: JSON.stringify(body) } : { method },
    );
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  return {
    /** Of the only partition, or of the account's. */
    keys,
    keysOf,
    placeOf,
    server,
    redis,
    sim,
    fault: (fault: Partial<Fault>) => control("POST", "/sim/faults", fault),
    streamFault: (fault: object) => control("POST", "/sim/stream-faults", fault),
    clearStreamFaults: () => control("DELETE", "/sim/stream-faults"),
    /** Without a trade that explains it. */
    movePosition: (symbol: string, positionAmt: string) =>
      control("POST", "/sim/positions", { symbol, positionAmt, traded: false }),
    ordersOf: async ({ plan_id }: Spent): Promise<SimOrder[]> => {
      const state = (await control("GET", "/sim/state")) as { orders: SimOrder[] };
      return state.orders.filter(({ clientOrderId }) => clientOrderId === `qp-${plan_id}-1`);
    },
    publicKeysFile: publicFile,
    owned: takeOwnership,
    stateFolder,
    /** Like a request that was already sent when its sender died. */
    send: async ({ symbol, plan_id }: Spent): Promise<void> => {
      const exchange = createBinanceExchange({
        baseUrl: sim.url,
        apiKey: KEY,
        apiSecret: SECRET,
        timeoutMs: 2000,
        recvWindowMs: 5000,
      });
      const placement = await exchange.placeReduceOnlyMarket({
        symbol,
        side: "SELL",
        quantity: "0.010",
        clientOrderId: `qp-${plan_id}-1`,
        timestampMs: exchange.now(),
        recvWindowMs: 5000,
      });
      expect(["answered", "acknowledged"]).toContain(placement.outcome);
    },
    requests: async (path: string): Promise<number> => {
      const state = (await control("GET", "/sim/state")) as { requests: Record<string, number> };
      return state.requests[path] ?? 0;
    },
    results: async (planId: string): Promise<Record<string, string>[]> =>
      (await Promise.all(places.map((place) => place.redis.xrange(place.keys.streams.result, "-", "+"))))
        .flat()
        .map(([, flat]) => Object.fromEntries(chunk(flat)))
        .filter((result) => result["plan_id"] === planId),
    /** One result, a settled claim, and nothing left open (I3). */
    async expectEnded(
      { plan_id: planId, symbol, attempt }: Spent,
      entryId: string,
      outcome: string,
      reason: string,
    ) {
      const { keys, redis } = placeOf(symbol);
      const results = await this.results(planId);
      expect(results).toHaveLength(1);
      const executed = outcome === "EXECUTED" ? "True" : "False";
      expect(results[0]).toMatchObject({ outcome, error: reason, executed, attempt });
      const order = await redis.hgetall(keys.order(planId));
      const unplaced = outcome === "NOT_PLACED" && order["client_order_id"] !== undefined;
      expect(order).toMatchObject({ state: unplaced ? "UNPLACED" : outcome, reason });
      expect(await redis.ttl(keys.order(planId))).toBeGreaterThan(0);
      expect(await redis.hgetall(keys.plan(planId))).toMatchObject({ state: outcome });
      expect(await redis.exists(keys.unsettled(symbol), keys.unknown(symbol))).toBe(0);
      expect(await redis.hexists(keys.handedOver, planId)).toBe(0);
      expect(await redis.xpending(keys.streams.execute, GROUP, entryId, entryId, 1)).toEqual([]);
      return results[0];
    },
    redisMs: () => redisMs(),

    /** A symbol that no other test trades: long 1.000, step 0.001, minimum 0.002. */
    freshSymbol(partition?: number): string {
      const at = fresh.findIndex(
        (symbol) => partition === undefined || partitionOf(symbol, count) === partition,
      );
      const [symbol] = at < 0 ? [] : fresh.splice(at, 1);
      return symbol ?? "none left";
    },

    /** Writes what consume writes: record, spent permits, and the fields of the execute entry. */
    async spend(over: Partial<Spent> & { symbol: string }, permitMs = 90_000): Promise<Spent> {
      planNo += 1;
      const { keys, redis } = placeOf(over.symbol);
      const plan_id = over["plan_id"] ?? planNo.toString(16).padStart(16, "0");
      const nowMs = await redisMs({ redis });
      const entry = {
        plan_id,
        attempt: `${nowMs}-${planNo}`,
        attempt_no: "1",
        step: "CLOSE_PARTIAL_75",
        close_pct: "75.0",
        position_amt: "1.0",
        safe_qty: "0.01",
        max_qty: "",
        valid_until_ms: String(nowMs + patienceMs(5_000)),
        opened_at_ms: String(nowMs),
        mode: "paper",
        ...over,
      };
      const signed = over["signed"] ?? signedBy(signers, entry, { issuedMs: nowMs, permitMs });
      await redis.set(keys.spent(plan_id), `OK ${entry.attempt} ${nowMs} ${entry.safe_qty}`);
      await redis.hset(keys.plan(plan_id), {
        state: "PERMITTED",
        symbol: entry.symbol,
        attempt: entry.attempt,
      });
      return { ...entry, signed };
    },
    /** The entry that its permits were spent for. */
    async entryIdOf({ plan_id, symbol }: Spent): Promise<string> {
      return (await placeOf(symbol).redis.get(keysOf(symbol).spent(plan_id)))?.split(" ")[4] ?? "";
    },
    /** The first entry of a plan is the one that its permits were spent for. */
    async publish(entry: Record<string, string>): Promise<string> {
      const { signed: _, ...handedOver } = entry;
      const streamed = Object.entries(entry).flat();
      const kept = JSON.stringify(Object.entries(handedOver).flat());
      const { plan_id: planId = "", symbol = "" } = entry;
      const { keys, redis } = placeOf(symbol);
      await renew(placeOf(symbol));
      await showKillSwitch(placeOf(symbol));
      const entryId = await redis.eval(
        PUBLISH,
        3,
        ...[keys.streams.execute, keys.handedOver, keys.spent(planId)],
        ...[planId, symbol, kept, ...streamed],
      );
      return String(entryId);
    },

    /** @param options a short window and a short absence, so that evidence is found quickly */
    async executor(
      options: Partial<BinanceOptions> & {
        consumer?: string;
        absenceMs?: number;
        minReplicas?: number;
        ownerSinceMs?: number | undefined;
        /** `live`: the simulated exchange's own. A stream that is down if absent. */
        stream?: ScriptedStream | "live";
        /** Of enrolled operators; none if absent. */
        operatorKeys?: () => IssuerKeys;
        /** Where a partition's Redis is, for `:q1`; the rig's if undefined. */
        urlOf?: (partition: string) => string | undefined;
        /** What the executor sees of the exchange. */
        through?: (exchange: Exchange) => Exchange;
      } = {},
    ) {
      const { recvWindowMs = patienceMs(700), timeoutMs = patienceMs(400) } = options;
      const { absenceMs = 300, consumer: name = "executor-1", through = (same) => same } = options;
      const ownership = { sinceMs: "ownerSinceMs" in options ? options.ownerSinceMs : 1 };
      const events = createEvents().setMaxListeners(0);
      const partitions = openPartitions(count, (slotOf, role) => {
        const to = (use: string) => ({
          slotOf,
          ...connection(name + use + role),
          url: options.urlOf?.(role) ?? server.url,
        });
        return {
          redis: connectForCommands(to("")),
          connectForBlocking: () => connectForBlocking(to(":blocking")),
        };
      });
      const owned = partitions.with((partition) => ({
        ownership,
        queries: createQueries({ ...partition, events }),
        events: reportingFrom(partition.name, events),
        now: () => redisNow(partition.redis),
      }));
      const { redis: own, queries, now } = owned.account;
      const client = {
        baseUrl: sim.url,
        apiKey: KEY,
        apiSecret: SECRET,
        timeoutMs,
        recvWindowMs,
        ...(options.budget && { budget: options.budget }),
      };
      const exchange = reportCalls(through(createBinanceExchange(client)), events);
      const rules = new RuleBook(exchange, (error) =>
        events.emit("failed", { doing: "read the order rules", error }),
      );
      await whenReady(exchange, rules, () => undefined);
      const journal = await oldJournal(stateFolder(name), count);
      await takeOwnership();
      const { stream: chosen = scriptedStream(false) } = options;
      const stream =
        chosen === "live"
          ? createAccountStream({ venue: parseVenue(sim.url), exchange, ordersOnly: true })
          : chosen;
      const orderEvents = new OrderEvents({ stream, of: (symbol) => served.of(symbol), exchange, events });
      const trust = {
        mode: "paper",
        venue: "simulated",
        account: "main",
        required: ISSUERS,
        unsigned: new Set<string>(),
        keys: () => issuerKeys,
        operatorKeys: options.operatorKeys ?? (() => IssuerKeys.NONE),
      };
      const state = new ExitState({ redis: own, keys, trust, ownership, events, now });
      const shared = {
        ...{ partitions, group: GROUP, instance: OWNER, exchange, rules, orderEvents, journal, trust, state },
        ...{ recvWindowMs, absenceMs, minReplicas: options.minReplicas ?? 0 },
        drillReport: createDrillReports({ exchange: exchange.as("exit"), rules, journal, trust, now }),
      };
      const served = owned.with((partition) => createOrderPartition(partition, shared));
      const consumers = served.map(
        ({ redis: client, connectForBlocking: connect, keys: its, handle }) =>
          new StreamConsumer({
            redis: client,
            connectForBlocking: connect,
            keys: its,
            stream: its.streams.execute,
            group: GROUP,
            consumer: name,
            handle,
            orderBy: (entry) => entry.fields["symbol"] ?? "",
          }),
      );
      for (const { resolver } of served.all) resolver.start(new Progress());
      const [consumer] = consumers as [StreamConsumer];
      const { orders, resolver, handovers } = served.account;
      await Promise.all(served.map(({ memory }) => memory.announce("BTCUSDT")));
      await Promise.all(consumers.map((one) => one.start()));
      if ("start" in stream) {
        const up = once(stream, "up");
        stream.start();
        await up;
      }
      return {
        events,
        orders,
        queries,
        journal,
        resolver,
        handovers,
        /** What it keeps for each partition, and the partition's consumer. */
        partitions: served,
        consumers,
        orderEvents,
        consumer,
        redis: own,
        /** Resolves when the plan is settled or refused. Call it before the cause. */
        ended({ plan_id }: Spent) {
          return Promise.race([this.next("settled", plan_id), this.next("refused", plan_id)]);
        },
        /** The plan's next event of this kind. Call it before the cause. */
        next: <Name extends "settled" | "refused" | "doubted" | "claimed" | "corrected" | "unresolved">(
          event: Name,
          planId: string | undefined,
        ) =>
          new Promise<Events[Name][0]>((resolve) => {
            const listener = (happened: Events[Name][0]) => {
              if (happened.planId !== planId) return;
              events.off(event, listener as never);
              resolve(happened);
            };
            events.on(event, listener as never);
          }),
        async stop() {
          await Promise.all(consumers.map((one) => one.stop()));
          rules.stop();
          if ("start" in stream) await stream.stop();
          await orderEvents.stop();
          await Promise.all(served.map((partition) => partition.resolver.stop()));
          await journal.close();
          await Promise.all(served.map((partition) => disconnect(partition.redis)));
        },
      };
    },
    async stop() {
      await sim.close();
      await Promise.all(places.map((place) => disconnect(place.redis)));
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** An executor's journal, which it has kept for long. */
async function oldJournal(folder: string, partitions: number): Promise<Journal> {
  if (!existsSync(folder)) await (await Journal.open({ folder, partitions, redisNowMs: () => 1 })).close();
  return Journal.open({ folder, partitions, redisNowMs: () => Date.now() });
}

function chunk(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""]);
}
