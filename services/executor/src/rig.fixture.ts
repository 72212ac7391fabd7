/** For tests: an executor with a real Redis and the simulated exchange. The rig spends the permits. */
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys, QUANTITY_ISSUER } from "@quantum/contract";
import {
  type AccountStreamEvents,
  type BinanceOptions,
  createAccountStream,
  createBinanceExchange,
  type Exchange,
  parseVenue,
  RuleBook,
  whenReady,
} from "@quantum/exchange";
import {
  createExchangeSim,
  type ExchangeSimOptions,
  type Fault,
  type SimOrder,
  type SymbolSpec,
} from "@quantum/exchange-sim";
import { connectForBlocking, connectForCommands, disconnect, redisNow } from "@quantum/redis";
import { IssuerKeys, loadIssuerKeys, newKey, type Signer } from "@quantum/signing";
import { StreamConsumer } from "@quantum/streams";
import { patienceMs, startRedisServer } from "@quantum/harness";
import { Big } from "big.js";
import { expect } from "vitest";
import { Progress } from "@quantum/service-kit";
import { createEvents, type Events } from "./events.ts";
import { reportCalls } from "./exchange-calls.ts";
import { Handovers } from "./handovers.ts";
import { createExits } from "./exit/exits.ts";
import { ExitState } from "./exit/exit-state.ts";
import { createTold, tellingWhatIsLeft } from "./exit/told.ts";
import { createHandler } from "./handler.ts";
import { Journal } from "./journal.ts";
import { OrderEvents } from "./order-events.ts";
import { createOrders } from "./orders.ts";
import { createQueries } from "./queries.ts";
import { RedisMemory } from "./redis-memory.ts";
import { Replication } from "./replication.ts";
import { Resolver } from "./resolve.ts";
import { createSteps } from "./steps.ts";

export const GROUP = "executor";
/** Under this name every executor of the rig owns the orders, and has for long; ownership.test.ts covers the rest. */
export const OWNER = "executor";
export const KEY = "sim-key";
export const SECRET = "sim-secret";

const SYMBOLS = 60;
const MARKET: SymbolSpec[] = Array.from({ length: SYMBOLS }, (_, i) => ({
  symbol: `T${i}USDT`,
  price: "2000.00",
  positionAmt: "1.000",
  entryPrice: "1900.00",
  stepSize: "0.001",
  minQty: "0.002",
  minNotional: "5",
  tickSize: "0.01",
  leverage: "5",
}));

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

/** The fields of an execute entry. */
export interface Spent extends Record<string, string> {
  plan_id: string;
  symbol: string;
  attempt: string;
  valid_until_ms: string;
}

/** A user data stream of which the test is the venue. */
export type ScriptedStream = ReturnType<typeof scriptedStream>;
export function scriptedStream(isUp: boolean) {
  const stream = Object.assign(new EventEmitter<AccountStreamEvents>(), {
    isUp,
    upSinceMs: isUp ? 0 : undefined,
    lastEventAtMs: undefined as number | undefined,
    distrusted: 0,
    distrust: () => void (stream.distrusted += 1),
  });
  return stream;
}

export type Rig = Awaited<ReturnType<typeof startRig>>;

export async function startRig(simOptions: Pick<ExchangeSimOptions, "orderAnswer"> = {}) {
  const keys = createKeys();
  const server = await startRedisServer();
  const connection = (name: string) => ({ url: server.url, name, onError: () => undefined });
  const redis = connectForCommands(connection("test"));
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
  let symbolNo = -1;

  /** What the issuers sign of the entry. */
  function signedBy(entry: Spent, issuedMs: number, permitMs: number): string {
    const isShort = entry["position_amt"]?.startsWith("-") ?? false;
    const texts = [...signers].map(([issuer, signer]) => {
      const carriesQuantity = issuer === QUANTITY_ISSUER;
      return signer.sign({
        issuer,
        class: "issuer",
        mode: entry["mode"] ?? "",
        venue: "simulated",
        account: "main",
        plan: entry.plan_id,
        attempt: entry.attempt,
        symbol: entry.symbol,
        side: carriesQuantity ? (isShort ? "BUY" : "SELL") : "",
        step: entry["step"] ?? "",
        pct: Big(entry["close_pct"] ?? "").toFixed(),
        safe_qty: carriesQuantity ? (entry["safe_qty"] ?? "") : "",
        position: carriesQuantity ? (entry["position_amt"] ?? "") : "",
        computed_qty: "",
        issued_ms: String(issuedMs),
        until_ms: String(issuedMs + permitMs),
      });
    });
    return texts.join("\n");
  }

  const stateFolder = (consumer: string) => join(folder, `${consumer}.state`);
  let isOwned = false;
  /** As the owner's renewals do, whatever Redis has lost. */
  const renew = async () =>
    isOwned && redis.hset(keys.orderOwner, { instance: OWNER, since_ms: "1", seen_ms: "1" });
  const owned = async () => {
    isOwned = true;
    await renew();
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
    keys,
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
    owned,
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
      (await redis.xrange(keys.streams.result, "-", "+"))
        .map(([, flat]) => Object.fromEntries(chunk(flat)))
        .filter((result) => result["plan_id"] === planId),
    /** One result, a settled claim, and nothing left open (I3). */
    async expectEnded(
      { plan_id: planId, symbol, attempt }: Spent,
      entryId: string,
      outcome: string,
      reason: string,
    ) {
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
    redisMs: async (): Promise<number> => {
      const [seconds, micros] = await redis.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },

    /** A symbol that no other test trades: long 1.000, step 0.001, minimum 0.002. */
    freshSymbol(): string {
      symbolNo += 1;
      return MARKET[symbolNo]?.symbol ?? "none left";
    },

    /** Writes what consume writes: record, spent permits, and the fields of the execute entry. */
    async spend(over: Partial<Spent> & { symbol: string }, permitMs = 90_000): Promise<Spent> {
      planNo += 1;
      const plan_id = over["plan_id"] ?? planNo.toString(16).padStart(16, "0");
      const nowMs = await this.redisMs();
      const entry = {
        plan_id,
        attempt: `${nowMs}-${planNo}`,
        attempt_no: "1",
        step: "CLOSE_PARTIAL_75",
        close_pct: "75.0",
        position_amt: "1.0",
        safe_qty: "0.01",
        max_qty: "",
        valid_until_ms: String(nowMs + 5000),
        opened_at_ms: String(nowMs),
        mode: "paper",
        ...over,
      };
      const signed = over["signed"] ?? signedBy(entry, nowMs, permitMs);
      await redis.set(keys.spent(plan_id), `OK ${entry.attempt} ${nowMs} ${entry.safe_qty}`);
      await redis.hset(keys.plan(plan_id), {
        state: "PERMITTED",
        symbol: entry.symbol,
        attempt: entry.attempt,
      });
      return { ...entry, signed };
    },
    /** The entry that its permits were spent for. */
    async entryIdOf({ plan_id }: Spent): Promise<string> {
      return (await redis.get(keys.spent(plan_id)))?.split(" ")[4] ?? "";
    },
    /** The first entry of a plan is the one that its permits were spent for. */
    async publish(entry: Record<string, string>): Promise<string> {
      const { signed: _, ...handedOver } = entry;
      const streamed = Object.entries(entry).flat();
      await renew();
      const kept = JSON.stringify(Object.entries(handedOver).flat());
      const { plan_id: planId = "", symbol = "" } = entry;
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
        /** What the executor sees of the exchange. */
        through?: (exchange: Exchange) => Exchange;
      } = {},
    ) {
      const { recvWindowMs = patienceMs(700), timeoutMs = patienceMs(400) } = options;
      const { absenceMs = 300, consumer: name = "executor-1", through = (same) => same } = options;
      const ownership = { sinceMs: "ownerSinceMs" in options ? options.ownerSinceMs : 1 };
      const own = connectForCommands(connection(name));
      const events = createEvents().setMaxListeners(0);
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
      const told = createTold({ redis: own, keys });
      const ordinary = createOrders({ redis: own, keys, group: GROUP, instance: OWNER, events });
      const orders = tellingWhatIsLeft(ordinary, told, exchange.as("exit"));
      const journal = await oldJournal(stateFolder(name));
      await owned();
      const queries = createQueries({ redis: own, keys, events });
      const resolver = new Resolver({ orders, queries, exchange, events, absenceMs });
      resolver.start(new Progress());
      const { stream: chosen = scriptedStream(false) } = options;
      const stream =
        chosen === "live"
          ? createAccountStream({ venue: parseVenue(sim.url), exchange, ordersOnly: true })
          : chosen;
      const orderEvents = new OrderEvents({ stream, orders, queries, exchange, ownership, events });
      const memory = new RedisMemory(own, keys, events);
      const common = {
        orders,
        exchange,
        rules,
        memory,
        events,
        resolve: resolver.wake,
        recvWindowMs,
      };
      const trust = {
        mode: "paper",
        venue: "simulated",
        account: "main",
        required: ISSUERS,
        unsigned: new Set<string>(),
        keys: () => issuerKeys,
        operatorKeys: options.operatorKeys ?? (() => IssuerKeys.NONE),
      };
      const now = () => redisNow(own);
      const steps = createSteps({ ...common, orderEvents, journal, now });
      const state = new ExitState({ redis: own, keys, trust, ownership, events, now });
      const ordering = { ...common, trust, journal, steps, now };
      const exits = createExits({ ...ordering, told, state });
      const handle = createHandler({
        ...ordering,
        replication: new Replication(own, options.minReplicas ?? 0),
        ownership,
        exits,
      });
      const handovers = new Handovers({ ...common, redis: own, keys, group: GROUP });
      const consumer = new StreamConsumer({
        redis: own,
        connectForBlocking: () => connectForBlocking(connection(`${name}:blocking`)),
        keys,
        stream: keys.streams.execute,
        group: GROUP,
        consumer: name,
        handle,
        orderBy: (entry) => entry.fields["symbol"] ?? "",
      });
      await memory.announce("BTCUSDT");
      await consumer.start();
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
          await consumer.stop();
          rules.stop();
          if ("start" in stream) await stream.stop();
          await orderEvents.stop();
          await resolver.stop();
          await journal.close();
          await disconnect(own);
        },
      };
    },
    async stop() {
      await sim.close();
      await disconnect(redis);
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** An executor's journal, which it has kept for long. */
async function oldJournal(folder: string): Promise<Journal> {
  if (!existsSync(folder)) await (await Journal.open({ folder, redisNowMs: () => 1 })).close();
  return Journal.open({ folder, redisNowMs: () => Date.now() });
}

function chunk(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""]);
}
