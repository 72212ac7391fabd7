/** What is used of each symbol's limits, beside what they allow. */
import { redisNow } from "@quantum/redis";
import { type Partitions, sharedReading } from "@quantum/service-kit";
import { Gauge, type Registry } from "prom-client";
import { FIVE_MINUTES_MS, HOUR_MS, type Rules } from "./decide.ts";
import { ofUnits } from "./units.ts";

const DAY_MS = 86_400_000;

export interface LimitOptions {
  rules: Rules;
  /** Symbols with their own label. */
  symbols: readonly string[];
  issuer: string;
  partitions: Partitions;
  registry: Registry;
}

/** What counts against each limit, by its label: as `lua/permits/issue.lua` counts it. */
interface Used {
  executions_hour: number;
  executions_5min: number;
  notional_day: number;
  qty_day: number;
}

export function gaugeLimits({ rules, registry, symbols, ...books }: LimitOptions): void {
  const max: Used = {
    executions_hour: rules.executionsPerHour,
    executions_5min: rules.executionsPer5Min,
    notional_day: ofUnits(rules.notionalPerDay),
    qty_day: ofUnits(rules.qtyPerDay),
  };
  const limits = Object.keys(max) as (keyof Used)[];
  // Read when scraped, because the windows slide even if nothing happens.
  const readings = symbols.map((symbol) => ({ symbol, read: sharedReading(() => readUsed(books, symbol)) }));
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[],
    set: (gauge: Gauge, symbol: string, used: Used) => void,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        // In parallel: consecutive deadlines would outlast the scrape and hide that Redis hangs.
        await Promise.all(
          readings.map(async ({ symbol, read }) => {
            const used = await read();
            if (used !== undefined) set(this, symbol, used);
          }),
        );
      },
    });
  gauge(
    "quantum_limit_used",
    "What counts against a limit of the governor: executions and open permits in the window, or what was charged today and is reserved, in dollars or coins",
    ["symbol", "limit"],
    (used, symbol, now) => {
      for (const limit of limits) used.set({ symbol, limit }, now[limit]);
    },
  );
  const allowed = new Gauge({
    name: "quantum_limit_max",
    help: "What a limit of the governor allows; coins count only while the price is unknown",
    labelNames: ["symbol", "limit"],
    registers: [registry],
  });
  for (const symbol of symbols) for (const limit of limits) allowed.set({ symbol, limit }, max[limit]);
  gauge(
    "quantum_govern_exec_count_hour",
    "Executions and open permits in the last hour",
    ["symbol"],
    (count, symbol, now) => count.set({ symbol }, now.executions_hour),
  );
  gauge(
    "quantum_govern_exec_count_5min",
    "Executions and open permits in the last 5 minutes",
    ["symbol"],
    (count, symbol, now) => count.set({ symbol }, now.executions_5min),
  );
}

async function readUsed(
  { partitions, issuer }: Pick<LimitOptions, "partitions" | "issuer">,
  symbol: string,
): Promise<Used> {
  const { redis, keys } = partitions.of(symbol);
  const nowMs = redisNow(redis);
  const { executions, totals } = keys.reservations(issuer, symbol);
  const [hour, burst, sums] = await Promise.all([
    redis.zcount(executions, nowMs - HOUR_MS, "+inf"),
    redis.zcount(executions, nowMs - FIVE_MINUTES_MS, "+inf"),
    redis.hgetall(totals),
  ]);
  // What was charged on an earlier day counts no more. A day in the future counts.
  const isToday = Number(sums["day"] ?? -1) >= Math.floor(nowMs / DAY_MS);
  const day = (amount: string) =>
    ofUnits(isToday ? sums[`charged:${amount}`] : undefined) + ofUnits(sums[`reserved:${amount}`]);
  return {
    executions_hour: hour,
    executions_5min: burst,
    notional_day: day("notional"),
    qty_day: day("qty"),
  };
}
