/** What operators are told of the limits. */
import { governorLimitsRecord, parseRecord } from "@quantum/contract";
import { expect, it, vi } from "vitest";
import { keys, redis, RULES, useRedis } from "./governor.fixture.ts";
import { tellLimits, writeLimits } from "./limits.ts";

useRedis();
const rules = {
  ...RULES,
  executionsPerHour: 3,
  executionsPer5Min: 2,
  notionalPerDay: 500_000_000_000n,
  qtyPerDay: 2_000_000n,
};
const NAMES = ["executions_hour", "executions_5min", "notional_day", "qty_day", "at_ms"] as const;
const read = async () =>
  parseRecord(governorLimitsRecord, keys.governorLimits, await redis.hgetall(keys.governorLimits), NAMES);

it("tells each limit as its variable has it, and ends a day after the governor does", async () => {
  await writeLimits({ redis, keys, rules });
  expect(await read()).toEqual({
    executions_hour: 3,
    executions_5min: 2,
    notional_day: "5000",
    qty_day: "0.02",
    at_ms: expect.any(Number),
  });
  expect(await redis.ttl(keys.governorLimits)).toBeGreaterThan(86_000);
});

it("replaces a key of the wrong type", async () => {
  await redis.set(keys.governorLimits, "text");
  await writeLimits({ redis, keys, rules });
  expect(await read()).toMatchObject({ executions_hour: 3 });
});

it("writes nothing before it begins, and goes on without a word when it is stopped", async () => {
  const warn = vi.fn();
  const telling = tellLimits({ redis, keys, rules, log: { warn } });
  expect(await redis.exists(keys.governorLimits)).toBe(0);
  await telling.begin();
  await vi.waitFor(async () => expect(await redis.exists(keys.governorLimits)).toBe(1));
  await telling.stop();
  expect(warn).not.toHaveBeenCalled();
});
