/** Faults of the account's events: of single ones, and of the connections and the key that they come by. */
import { setTimeout as delay } from "node:timers/promises";
import { allMet, ask } from "./exchange-control.ts";
import { EVERYWHERE, type FaultKind, type FaultContext } from "./fault-kind.ts";

const DELIVERIES = ["drop", "double", "reorder", "late"] as const;
const EVENTS = ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "any"] as const;
/** Of one symbol. Every service that listens is sent each event, and counts. */
const EVENTS_MAX = 8;
/** Some events in between arrive as they should, and are overtaken. */
const CHANCE = 0.5;
const LATE_MAX_MS = 2_000;
/** Clients connect again after 10 s, and find the exchange still silent or not. */
const SILENT_MS = { low: 500, high: 12_000 } as const;
const CUT_MS = { low: 0, high: 4_000 } as const;
/** Those of the executor and of P3.3. */
const SOCKETS = 2;

export const ACCOUNT_EVENT_FAULTS: Readonly<Record<string, FaultKind>> = {
  "account-events": {
    meaning: `up to ${EVENTS_MAX} of the exchange's events of each symbol: ${DELIVERIES.join(" ")}`,
    weight: 8,
    on: EVERYWHERE,
    run: spoilDeliveries,
  },
  "events-silent": {
    meaning: `the exchange's event sockets are open, but nothing comes, for up to ${SILENT_MS.high / 1000} s`,
    weight: 1,
    on: EVERYWHERE,
    run: async ({ system, random }) => {
      const ms = random.between(SILENT_MS.low, SILENT_MS.high);
      await spoil(system.exchangeUrl, { kind: "silent", ms });
      await delay(ms);
      return [{ kind: "events-silent", target: `for ${ms} ms` }];
    },
  },
  "events-cut": {
    meaning: `the exchange closes its event sockets, and refuses others for up to ${CUT_MS.high / 1000} s`,
    weight: 3,
    on: EVERYWHERE,
    run: async ({ system, random }) => {
      const ms = random.between(CUT_MS.low, CUT_MS.high);
      await spoil(system.exchangeUrl, { kind: "disconnect", ms });
      await delay(ms);
      return [{ kind: "events-cut", target: `for ${ms} ms` }];
    },
  },
  "listen-key": {
    meaning: "the listen key expires: announced or not, and with or without the end of its sockets",
    weight: 2,
    on: EVERYWHERE,
    run: async ({ system, random }) => {
      const closes = random.pick([true, false]);
      const isAnnounced = random.pick([true, false]);
      if (!isAnnounced)
        await spoil(system.exchangeUrl, { kind: "drop", event: "listenKeyExpired", count: SOCKETS });
      await spoil(system.exchangeUrl, { kind: "expire_key", closes });
      await ask(system.exchangeUrl, "DELETE", "/sim/stream-faults");
      const how = `${isAnnounced ? "announced" : "unannounced"}, sockets ${closes ? "closed" : "left open"}`;
      return [{ kind: "listen-key", target: how }];
    },
  },
};

async function spoilDeliveries({ system, random }: FaultContext) {
  const hits = [];
  for (const symbol of system.symbols) {
    const kind = random.pick(DELIVERIES);
    const event = random.pick(EVENTS);
    const count = random.between(1, EVENTS_MAX);
    const ms = random.between(1, LATE_MAX_MS);
    const only = event === "any" ? {} : { event };
    await spoil(system.exchangeUrl, { kind, ...only, symbol, count, ms, chance: CHANCE });
    hits.push({ kind: `event ${kind}`, target: `${symbol} ${count} of ${event}`, symbol });
  }
  const unmet = await allMet(system.exchangeUrl, "/sim/stream-faults");
  return hits.filter(({ symbol }) => !unmet.has(symbol)).map(({ kind, target }) => ({ kind, target }));
}

async function spoil(exchangeUrl: string, fault: Record<string, unknown>): Promise<void> {
  await ask(exchangeUrl, "POST", "/sim/stream-faults", fault);
}
