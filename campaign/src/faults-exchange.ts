/** Faults of the exchange: its answers to an order, and changes to the account that are not ours. */
import { setTimeout as delay } from "node:timers/promises";
import { resumeExchange } from "@quantum/operator";
import { Big } from "big.js";
import { z } from "zod";
import { allMet, ask } from "./exchange-control.ts";
import { EVERYWHERE, type FaultKind, type FaultContext } from "./fault-kind.ts";

/** The faults of exchange-sim that affect one order, and its errors by code. */
const ORDER_FAULTS = [
  "503_before",
  "503_after",
  "503_failed",
  "-1007",
  "-1007_not_executed",
  "timeout_before",
  "timeout_after",
  "late_ack",
  "partial_fill",
  "empty_body",
  "wrong_body",
  "reset",
  "429",
  "418",
  "-1021",
  "-2019",
  "-2022",
  "-4116",
  "-4164",
] as const;
const REFUSALS: ReadonlySet<string> = new Set(["-1021", "-2019", "-2022", "-4116", "-4164"]);

const FAULT_MS = 1_000;
/** Below the campaign's EXECUTOR_ABSENCE_SEC. */
const LAG_MAX_MS = 2_000;
const OUTAGE_MS = 4_000;
/** What P3.3 reads the account from. */
const READINGS = ["GET /fapi/v3/positionRisk", "GET /fapi/v1/userTrades", "GET /fapi/v1/openOrders"] as const;
const REQUESTS = [
  ...READINGS,
  "POST /fapi/v1/order",
  "GET /fapi/v1/order",
  "POST /fapi/v1/listenKey",
] as const;
/** Until others than who was refused know of a pause, they may be refused too. */
const REFUSED_MAX = 5;
const BANNED_MS = { low: 500, high: 4_000 } as const;
const CHANGED_MS = 1_500;
const SLOW_MS = 300;

export const EXCHANGE_FAULTS: Readonly<Record<string, FaultKind>> = {
  "order-answers": {
    meaning: `one wrong answer to an order of each symbol: ${ORDER_FAULTS.join(" ")}`,
    weight: 16,
    on: EVERYWHERE,
    run: spoilAnswers,
  },
  lag: {
    meaning: `one order of each symbol is executed, answered with 503, and hidden from queries for up to ${LAG_MAX_MS / 1000} s`,
    weight: 3,
    on: EVERYWHERE,
    run: async ({ system, random }) => {
      for (const symbol of system.symbols)
        await arm(system.exchangeUrl, { symbol, kind: "lag", ms: random.between(1, LAG_MAX_MS) });
      const unmet = await allMet(system.exchangeUrl);
      return system.symbols.filter((symbol) => !unmet.has(symbol)).map((target) => ({ kind: "lag", target }));
    },
  },
  "exchange-outage": {
    meaning: `the exchange is unreachable for ${OUTAGE_MS / 1000} s`,
    weight: 1,
    on: EVERYWHERE,
    run: async ({ system }) => {
      for (const { exchangeProxy } of system.members) exchangeProxy?.cutOff();
      await delay(OUTAGE_MS);
      for (const { exchangeProxy } of system.members) exchangeProxy?.heal();
      return [{ kind: "exchange-outage", target: "exchange" }];
    },
  },
  "exchange-slow": {
    meaning: `the network to the exchange is ${SLOW_MS} ms slower, each way, for ${OUTAGE_MS / 1000} s`,
    weight: 1,
    on: EVERYWHERE,
    run: async ({ system }) => {
      for (const { exchangeProxy } of system.members) exchangeProxy?.delay(SLOW_MS);
      await delay(OUTAGE_MS);
      for (const { exchangeProxy } of system.members) exchangeProxy?.heal();
      return [{ kind: "exchange-slow", target: "exchange" }];
    },
  },
  "exchange-unreadable": {
    meaning: "positions, trades and open orders cannot be read a few times: 503, or an empty answer",
    weight: 2,
    on: EVERYWHERE,
    run: async ({ system, random }) => {
      const kind = random.pick(["503_before", "empty_body"]);
      for (const path of READINGS) await arm(system.exchangeUrl, { kind, path, count: random.between(1, 8) });
      await allMet(system.exchangeUrl);
      return [{ kind: "exchange-unreadable", target: kind }];
    },
  },
  "request-limits": {
    meaning:
      "bursts of 429 or 418; their end is in the header, in the text, or nowhere, and then an operator ends the pause",
    weight: 2,
    on: EVERYWHERE,
    run: refuseRequests,
  },
  "position-changed": {
    meaning: "somebody else trades a position down, away or to the other side",
    weight: 3,
    on: EVERYWHERE,
    run: changePosition,
  },
};

/** One wrong answer to the next order of each symbol. */
export async function spoilAnswers({ system, random }: FaultContext) {
  const hits = [];
  for (const symbol of system.symbols) {
    const fault = random.pick(ORDER_FAULTS);
    await arm(system.exchangeUrl, {
      symbol,
      ms: FAULT_MS,
      ...(REFUSALS.has(fault) ? { kind: "error", code: Number(fault) } : { kind: fault }),
    });
    hits.push({ kind: `order ${fault}`, target: symbol });
  }
  const unmet = await allMet(system.exchangeUrl);
  return hits.filter(({ target }) => !unmet.has(target));
}

async function refuseRequests({ system, random }: FaultContext) {
  const { client: redis, exchangeUrl, keys } = system;
  const kind = random.pick(["429", "418"]);
  const tells = random.pick(["header", "text", "nothing"]);
  const ms = random.between(BANNED_MS.low, BANNED_MS.high);
  for (const path of REQUESTS)
    await arm(exchangeUrl, { kind, tells, ms, path, count: random.between(1, REFUSED_MAX) });
  await delay(ms);
  await ask(exchangeUrl, "DELETE", "/sim/faults");
  // Without an end, the services pause for a minute.
  if (tells === "nothing") await resumeExchange({ redis, keys }, { who: "chaos", reason: "the ban is over" });
  return [{ kind: `request-limits ${kind}`, target: `for ${ms} ms, the end in ${tells}` }];
}

async function changePosition({ system, random }: FaultContext) {
  const symbol = random.pick(system.symbols);
  const { positions, symbols } = stateSchema.parse(await ask(system.exchangeUrl, "GET", "/sim/state"));
  const spec = symbols.find((row) => row.symbol === symbol);
  const held = positions.find((row) => row.symbol === symbol);
  if (spec === undefined || held === undefined) throw new Error(`${symbol} is not traded`);
  const target = Big(held.positionAmt)
    .times(random.pick(["0.5", "0", "-1", "1.5"]))
    .div(spec.stepSize)
    .round(0, Big.roundDown)
    .times(spec.stepSize)
    .toFixed();
  await ask(system.exchangeUrl, "POST", "/sim/positions", { symbol, positionAmt: target, traded: true });
  await delay(CHANGED_MS);
  // The simulated strategy restores the position; if it were gone, nothing could be closed any more.
  await ask(system.exchangeUrl, "POST", "/sim/strategy", { enabled: true });
  return [{ kind: "position-changed", target: `${symbol} ${held.positionAmt} to ${target}` }];
}

const stateSchema = z.object({
  symbols: z.array(z.object({ symbol: z.string(), stepSize: z.string() })),
  positions: z.array(z.object({ symbol: z.string(), positionAmt: z.string() })),
});

async function arm(exchangeUrl: string, fault: Record<string, unknown>): Promise<void> {
  await ask(exchangeUrl, "POST", "/sim/faults", fault);
}
