/** The issuers with three partitions on one server: each partition's plans, books and results are its own. */
import { createKeys, partitionOf } from "@quantum/contract";
import { createBinanceExchange, parseVenue } from "@quantum/exchange";
import { DEFAULT_MARKET, type SymbolSpec } from "@quantum/exchange-sim";
import { keepRunning, patienceMs, type ServiceProcess } from "@quantum/harness";
import { startRig } from "@quantum/harness/rig";
import { SIMULATED_ACCOUNT } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const WIRE = createKeys();
const PARTITIONS = 3;
const WAIT_MS = patienceMs(5_000);
const ISSUERS = ["governor", "p33", "p26"] as const;
const SERVICES = ["governor", "position-brain", "portfolio-gate"] as const;
const BURST = 4;

const [BTC, ETH] = DEFAULT_MARKET as [SymbolSpec, SymbolSpec];
const SUI = { ...ETH, symbol: "SUIUSDT" };
const MARKET = [BTC, ETH, SUI];
const SYMBOLS = MARKET.map(({ symbol }) => symbol);
/** No service's variables name it. */
const UNKNOWN = "TRXUSDT";

const rig = await startRig({ market: MARKET, partitions: PARTITIONS });
const { client: redis } = rig;
const { partitions } = rig.stored;
const keysOf = (symbol: string) => partitions.of(symbol).keys;
const all = partitions.map(({ keys }) => keys);
const env = {
  GOV_MAX_EXEC_PER_5MIN: String(BURST),
  GOV_DISARM_ON_BURST_BREACH: "false",
  P33_AUDIT_SEC: "1",
};
/** There is no apply-layer here, and so nobody else who shows the partitions the kill switch. */
let marks: { stop: () => Promise<void> };
let services: ServiceProcess[];
let plans = 0;

beforeAll(async () => {
  await proposeAll();
  marks = await keepRunning(redis, all);
  services = await Promise.all(SERVICES.map((name) => rig.start(name, env)));
});
afterAll(async () => {
  await marks.stop();
  await rig.stop();
});

/** As publishers do, who know no partitions. */
async function proposeAll(): Promise<void> {
  const last_update_epoch = String(Math.floor(Date.now() / 1_000));
  for (const symbol of SYMBOLS) await redis.hset(WIRE.proposal(symbol), { sigma: "0.01", last_update_epoch });
}

async function publish(
  symbol: string,
  keys = keysOf(symbol),
  more: Record<string, string> = {},
): Promise<{ planId: string; attempt: string }> {
  const planId = (plans += 1).toString(16).padStart(16, "0");
  const fields = { plan_id: planId, symbol, action: "PARTIAL_25", kill_score: "0.7", decision: "EXECUTE" };
  const steps = '[{"step": "CLOSE_PARTIAL_25", "type": "market_reduce_only", "side": "close", "pct": 25.0}]';
  const attempt = await redis.xadd(
    keys.streams.plan,
    "*",
    ...Object.entries({ ...fields, steps, ...more }).flat(),
  );
  return { planId, attempt: attempt ?? "" };
}

/** Plans and results are in the Python apply-layer's form, in which they have neither a record nor an attempt. */
async function report(
  symbol: string,
  planId: string,
  more: Record<string, string>,
  keys = keysOf(symbol),
): Promise<string> {
  const fields = {
    plan_id: planId,
    symbol,
    decision: "EXECUTE",
    executed: more["outcome"] === "EXECUTED" ? "True" : "False",
    would_execute: "False",
    steps_results: "[]",
    error: "",
    settled_at_ms: String(Date.now()),
    ...more,
  };
  return (await redis.xadd(keys.streams.result, "*", ...Object.entries(fields).flat())) ?? "";
}

/** Each issuer's answer to the plan, as it lies in the symbol's partition. */
async function answers(symbol: string, planId: string): Promise<Record<string, boolean | undefined>> {
  const keys = keysOf(symbol);
  const found = await Promise.all(
    ISSUERS.map(async (issuer) => {
      const [permit, block] = await redis.mget(keys.permit(issuer, planId), keys.block(issuer, planId));
      if (block !== null && block !== undefined) return [issuer, false] as const;
      const { granted, allow } = JSON.parse(permit ?? "{}") as { granted?: boolean; allow?: boolean };
      return [issuer, granted ?? allow] as const;
    }),
  );
  return Object.fromEntries(found);
}

/** Executions and open permits in the governor's books, where they belong. */
const counted = (symbol: string) => redis.zcard(keysOf(symbol).reservations("governor", symbol).executions);

const pending = (stream: string, group: string) =>
  redis.xpending(stream, group).then((reply) => (reply as [number])[0]);

const eventually = <T>(check: () => Promise<T>) => vi.waitFor(check, { timeout: WAIT_MS, interval: 20 });

describe("issuers over three partitions", () => {
  it("have a symbol in each, and answer its plans there", async () => {
    expect(new Set(SYMBOLS.map((symbol) => partitionOf(symbol, PARTITIONS))).size).toBe(PARTITIONS);
    for (const symbol of SYMBOLS) {
      const plan = await publish(symbol);
      await eventually(async () =>
        expect(await answers(symbol, plan.planId)).toEqual({ governor: true, p33: true, p26: true }),
      );
      await report(symbol, plan.planId, { outcome: "NOT_PLACED" });
      await eventually(async () => expect(await counted(symbol)).toBe(0));
    }
    for (const keys of all) expect(await redis.xlen(keys.streams.permit)).toBe(ISSUERS.length);
    // Nothing was written where services of one partition would look.
    const untagged = (await redis.keys("quantum:*")).filter((key) => !key.includes("{q"));
    const fromOutside = SYMBOLS.map((symbol) => WIRE.proposal(symbol));
    expect(untagged.toSorted()).toEqual([...fromOutside, WIRE.partitions].toSorted());
  });

  it("answer plans of a symbol that no variable names", async () => {
    const { planId } = await publish(UNKNOWN);
    await eventually(async () =>
      expect(await answers(UNKNOWN, planId)).toEqual({ governor: false, p33: false, p26: false }),
    );
  });

  it("give up what is in another partition than its symbol's, whose limits nobody knows there", async () => {
    const [here, elsewhere] = [keysOf(BTC.symbol), keysOf(ETH.symbol)];
    const { planId, attempt } = await publish(BTC.symbol, elsewhere);
    const result = await report(
      BTC.symbol,
      planId,
      { outcome: "EXECUTED", executed_qty: "0.010" },
      elsewhere,
    );
    // Two streams may give the same id within one millisecond.
    for (const [stream, entryId] of [
      [elsewhere.streams.plan, attempt],
      [elsewhere.streams.result, result],
    ] as const)
      await eventually(async () => {
        const dead = await redis.xrange(elsewhere.streams.deadLetter, "-", "+");
        const letters = dead.filter(([, fields]) => fields.includes(stream) && fields.includes(entryId));
        expect(letters).toHaveLength(ISSUERS.length);
        for (const [, fields] of letters)
          expect(fields.join(" ")).toContain(`${BTC.symbol} belongs to another partition`);
      });
    for (const keys of [here, elsewhere])
      for (const issuer of ISSUERS)
        expect(
          await redis.exists(
            ...[keys.permit(issuer, planId), keys.block(issuer, planId), keys.booked(issuer, planId)],
          ),
        ).toBe(0);
    for (const issuer of ISSUERS)
      expect(await redis.exists(...Object.values(elsewhere.reservations(issuer, BTC.symbol)))).toBe(0);
  });

  it("have nothing to say to a drill, which has no symbol, wherever it is", async () => {
    for (const keys of all) {
      const { attempt } = await publish("ACCOUNT", keys, { class: "drill" });
      for (const group of ISSUERS)
        await eventually(async () => {
          const groups = (await redis.xinfo("GROUPS", keys.streams.plan)) as string[][];
          const own = groups.find((fields) => fields[1] === group) ?? [];
          expect([
            own[own.indexOf("last-delivered-id") + 1],
            await pending(keys.streams.plan, group),
          ]).toEqual([attempt, 0]);
        });
      expect((await redis.xrange(keys.streams.deadLetter, "-", "+")).flat(2)).not.toContain(attempt);
    }
  });

  it("obey an operator in the partition of the symbol that is held", async () => {
    const { symbol } = SUI;
    const { ledger, streams } = keysOf(symbol);
    const positionAmt = "-1.900";
    const moved = await fetch(`${rig.venueUrl}/sim/positions`, {
      method: "POST",
      body: JSON.stringify({ symbol, positionAmt, traded: false }),
      headers: { "content-type": "application/json" },
    });
    expect(moved.status).toBe(200);
    const since = await eventually(async () => {
      const found = await redis.hget(ledger(symbol), "disagrees_since_ms");
      if (found === null || found === "") throw new Error("the pair still matches");
      return found;
    });
    const command = {
      action: "hold.accept",
      target: symbol,
      who: "a@b",
      reason: "",
      at_ms: String(Date.now()),
    };
    const detail = `{"disagrees_since_ms": ${since}}`;
    await redis.xadd(streams.operatorAudit, "*", ...Object.entries({ ...command, detail }).flat());
    await eventually(async () =>
      expect(await redis.hgetall(ledger(symbol))).toMatchObject({
        last_known_amt: positionAmt,
        origin: "accepted",
      }),
    );
    for (const keys of all)
      expect(await redis.exists(keys.ledger(symbol))).toBe(keys === keysOf(symbol) ? 1 : 0);
  });

  it("count each symbol's limits exactly, with two governors", async () => {
    const second = await rig.start("governor", env);
    const published = await Promise.all(
      SYMBOLS.flatMap((symbol) =>
        Array.from({ length: 2 * BURST }, async () => ({ symbol, ...(await publish(symbol)) })),
      ),
    );
    const granted = Object.fromEntries(SYMBOLS.map((symbol) => [symbol, 0]));
    for (const { symbol, planId } of published) {
      await eventually(async () => expect((await answers(symbol, planId))["governor"]).toBeDefined());
      if ((await answers(symbol, planId))["governor"]) granted[symbol] = (granted[symbol] ?? 0) + 1;
    }
    expect(granted).toEqual(Object.fromEntries(SYMBOLS.map((symbol) => [symbol, BURST])));
    const books = await redis.keys(createKeys({ partition: "*" }).reservations("governor", "*").totals);
    const own = SYMBOLS.map((symbol) => keysOf(symbol).reservations("governor", symbol).totals);
    expect(books.toSorted()).toEqual(own.toSorted());
    for (const plan of published) await report(plan.symbol, plan.planId, { outcome: "NOT_PLACED" });
    for (const symbol of SYMBOLS) await eventually(async () => expect(await counted(symbol)).toBe(0));
    await second.stop();
  });

  it("tell the limits once, where the account's keys are, and what is used of each symbol", async () => {
    expect(await Promise.all(all.map((keys) => redis.exists(keys.governorLimits)))).toEqual([1, 0, 0]);
    const metrics = await (await fetch(`${services[0]?.url}/metrics`)).text();
    for (const symbol of SYMBOLS)
      expect(metrics).toContain(`quantum_limit_used{symbol="${symbol}",limit="executions_5min"} 0`);
  });

  it("settle results in each, and book the fills into the symbol's partition", async () => {
    const exchange = createBinanceExchange({
      baseUrl: parseVenue(rig.venueUrl).baseUrl,
      apiKey: SIMULATED_ACCOUNT.BINANCE_TESTNET_API_KEY,
      apiSecret: SIMULATED_ACCOUNT.BINANCE_TESTNET_API_SECRET,
      timeoutMs: 3_000,
      recvWindowMs: 5_000,
    });
    for (const { symbol, positionAmt } of MARKET) {
      const plan = await publish(symbol);
      await eventually(async () => expect((await answers(symbol, plan.planId))["p33"]).toBe(true));
      const clientOrderId = `qp-${plan.planId}-1`;
      await exchange.placeReduceOnlyMarket({
        symbol,
        side: positionAmt.startsWith("-") ? "BUY" : "SELL",
        quantity: "0.010",
        clientOrderId,
        timestampMs: exchange.now(),
        recvWindowMs: 5_000,
      });
      const { orderId } = await eventually(async () => {
        const order = await exchange.order(symbol, clientOrderId);
        if (order?.status !== "FILLED") throw new Error("the order is not filled");
        return order;
      });
      await report(symbol, plan.planId, {
        outcome: "EXECUTED",
        order_id: orderId,
        executed_qty: "0.010",
        avg_price: "100",
      });
      const keys = keysOf(symbol);
      await eventually(async () => {
        expect(await redis.hgetall(keys.ledger(symbol))).toMatchObject({
          last_order_id: orderId,
          last_result_plan_id: plan.planId,
        });
        const { totals } = keys.reservations("governor", symbol);
        expect(await redis.hget(totals, "charged:qty")).toBe("1000000");
      });
    }
    for (const { streams } of all)
      for (const group of ISSUERS)
        for (const stream of [streams.plan, streams.result])
          await eventually(async () => expect(await pending(stream, group)).toBe(0));
  });

  it("see the whole portfolio, wherever its snapshots are", async () => {
    const gross = async () => {
      const metrics = await (await fetch(`${services[2]?.url}/metrics`)).text();
      return Number(/^p26_total_abs_notional (\S+)$/m.exec(metrics)?.[1]);
    };
    const held = async () => {
      const each = await Promise.all(
        SYMBOLS.map(async (symbol) => {
          const { position_amt, mark_price } = await redis.hgetall(keysOf(symbol).snapshot(symbol));
          return Math.abs(Number(position_amt) * Number(mark_price));
        }),
      );
      return each.reduce((sum, notional) => sum + notional, 0);
    };
    // A refresh may come between the two readings.
    await eventually(async () => expect(await gross()).toBeCloseTo(await held()));
    // However many symbols there are.
    const connected = String(await redis.client("LIST")).match(/ name=portfolio-gate@\S+/g) ?? [];
    const others = connected.filter((name) => !/:(commands|blocking):q[012]$/.test(name));
    expect(others).toEqual([expect.stringMatching(/:hashes$/)]);

    await redis.set(WIRE.proposal(ETH.symbol), "no hash");
    const { planId: blind } = await publish(BTC.symbol);
    await eventually(async () => expect((await answers(BTC.symbol, blind))["p26"]).toBe(false));
    expect(await redis.get(keysOf(BTC.symbol).permit("p26", blind))).toContain("sigma_unreadable");
    await redis.del(WIRE.proposal(ETH.symbol));
    await proposeAll();

    await services[1]?.stop();
    await redis.del(keysOf(ETH.symbol).snapshot(ETH.symbol));
    const { planId } = await publish(BTC.symbol);
    await eventually(async () => expect((await answers(BTC.symbol, planId))["p26"]).toBe(false));
    expect(await redis.get(keysOf(BTC.symbol).permit("p26", planId))).toContain("snapshot_missing");
  });
});
