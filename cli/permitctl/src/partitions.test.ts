/** `partitions`: what there is, and the change of their number, under the Redis users who may look and change. */
import { createKeys } from "@quantum/contract";
import { urlOfUser } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, expect, it } from "vitest";
import { permitctl } from "./outcomes.fixture.ts";

const keys = createKeys();
const { server, redis } = await useRedis();
const as = (user: string, ...args: string[]) => permitctl(urlOfUser(server.url, user), args);
const migrate = (user: string, to: string) =>
  as(user, "partitions", "migrate", "--to", to, "--yes", "--reason", "a test");
beforeEach(async () => {
  await redis.flushall();
  await redis.hset(keys.ledger("ETHUSDT"), { last_known_amt: "1" });
});

it("are listed, changed by the administrator, and listed as they then are", async () => {
  const one = await as("viewer", "partitions");
  expect(one).toMatchObject({ code: 0, stderr: "" });
  expect(one.stdout).toMatch(/^1 partition\n.*\n +0 +127\.0\.0\.1:\d+ +1 +off +no\n$/);

  expect(await migrate("admin", "3")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^There are 3 partitions: .*Set PARTITIONS=3 for every service/),
  });
  await redis.set(createKeys({ partition: 1 }).killSwitch, "1");
  const told = JSON.parse((await as("viewer", "--json", "partitions")).stdout) as { each: object[] };
  expect(told).toMatchObject({
    partitions: 3,
    each: [
      { partition: 0, kill_switch: "off" },
      { partition: 1, kill_switch: "on", keys: 1 },
      { partition: 2, keys: 1 },
    ],
  });
  expect(await migrate("admin", "3")).toMatchObject({ code: 0, stdout: "There are 3 partitions already.\n" });
});

it("are changed by nobody else, and not while a plan waits", async () => {
  const refused = await migrate("operator", "3");
  expect(refused.code).toBe(2);
  expect(await redis.exists(keys.partitions)).toBe(0);
  await redis.zadd(keys.waiting("ETHUSDT"), 1, "00aa");
  expect(await migrate("admin", "3")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("plans wait"),
  });
  expect(await as("admin", "partitions", "migrate", "--to", "65")).toMatchObject({ code: 2 });
});

it("whose number is being changed are looked at by no other command", async () => {
  await redis.set(keys.partitions, "1>3");
  const status = await as("viewer", "status");
  expect(status.stderr).toContain("run permitctl partitions migrate --to 3 again");
  expect(await migrate("admin", "1")).toMatchObject({ code: 0 });
  expect((await as("viewer", "partitions")).stdout).toMatch(/^1 partition\n/);
});
