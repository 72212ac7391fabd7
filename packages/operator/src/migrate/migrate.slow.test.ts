/** A change of the number of partitions, killed at every step, on a real Redis. */
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, expect, it } from "vitest";
import { BY } from "../access.fixture.ts";
import { everything, killedAt, seed, timeless } from "./migrate.fixture.ts";
import { migrate } from "./migrate.ts";

const { redis } = await useRedis();
beforeEach(async () => {
  await redis.flushall();
});
const access = { redisOf: () => redis };
const to = (count: number) => migrate(access, { to: count, by: BY });

it("ends the same wherever it is killed, and then goes back as well", async () => {
  await seed(redis);
  const before = await everything(redis);
  await to(3);
  const after = await everything(redis);
  const back: Map<string, string>[] = [];
  let steps = 0;
  for (let at = 1; ; at += 1) {
    await redis.flushall();
    await seed(redis);
    if (!(await killedAt(access, at, 3))) break;
    steps = at;
    await to(3);
    expect({ at, all: timeless(await everything(redis)) }).toEqual({ at, all: timeless(after) });
    await to(1);
    back.push(await everything(redis));
  }
  expect(steps).toBeGreaterThan(50);
  for (const all of back) expect(timeless(all)).toEqual(timeless(before));
}, 120_000);

it("is the same on its way back, and can be taken back, wherever it is killed", async () => {
  for (let at = 1; ; at += 1) {
    await redis.flushall();
    await seed(redis);
    const before = timeless(await everything(redis));
    if (!(await killedAt(access, at, 3))) break;
    await to(1);
    expect({ at, all: timeless(await everything(redis)) }).toEqual({ at, all: before });
  }
  await to(1);
  await redis.flushall();
  await seed(redis);
  await to(3);
  const divided = timeless(await everything(redis));
  for (let at = 1; ; at += 1) {
    await redis.flushall();
    await seed(redis);
    await to(3);
    if (!(await killedAt(access, at, 1))) break;
    await to(3);
    expect({ at, all: timeless(await everything(redis)) }).toEqual({ at, all: divided });
  }
}, 240_000);

it("from several to several ends the same wherever it is killed, there and back", async () => {
  await seed(redis);
  await to(3);
  const three = timeless(await everything(redis));
  await to(6);
  const six = timeless(await everything(redis));
  let steps = 0;
  /** @returns false if there are fewer steps */
  const killedThen = async (count: number, end: number) => {
    const isKilled = await killedAt(access, steps + 1, count);
    await to(end);
    const all = timeless(await everything(redis));
    expect({ steps, end, all }).toEqual({ steps, end, all: end === 3 ? three : six });
    return isKilled;
  };
  await to(3);
  for (; await killedThen(6, 3); steps += 1) {
    await killedThen(6, 6);
    await killedThen(3, 6);
    await killedThen(3, 3);
  }
  expect(steps).toBeGreaterThan(50);
}, 300_000);
