import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { afterEach, expect, it } from "vitest";
import { accessTo } from "../access.fixture.ts";
import { haltFirst } from "./halt-first.ts";

const keys = createKeys();
const BY = { who: "alice@test", reason: "a test" };
const { redis } = await useRedis();

/** Redis takes writes, or for now none. */
const takeWrites = (does: boolean) => redis.config("SET", "min-replicas-to-write", does ? "0" : "1");
afterEach(async () => {
  await takeWrites(true);
  await redis.flushall();
});

it("halts as soon as Redis can, and says what it waits for once", async () => {
  await takeWrites(false);
  const told: string[] = [];
  const done = await haltFirst(accessTo({ redis, keys }), BY, new AbortController().signal, (sight) => {
    told.push(sight.kind);
    void takeWrites(true);
  });
  expect({ done, told, killSwitch: await redis.get(keys.killSwitch) }).toEqual({
    done: true,
    told: ["silent"],
    killSwitch: "1",
  });
});

it("gives up only for the operator", async () => {
  await takeWrites(false);
  const stop = new AbortController();
  expect(await haltFirst(accessTo({ redis, keys }), BY, stop.signal, () => stop.abort())).toBe(false);
  expect(await redis.exists(keys.killSwitch)).toBe(0);
});
