/** What operators see in a window: on a real terminal, small and large. */
import { createKeys } from "@quantum/contract";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { fieldsOf } from "@quantum/streams";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NO_TERMINAL, onTerminal, type Screen, type Window, WINDOWS } from "./terminal.fixture.ts";

const keys = createKeys();
const RED = "\x1b[31m";

let server: TestRedis;
let redis: RedisClient;
beforeAll(async () => {
  server = await startRedisServer({ appendonly: true, appendfsync: "always" });
  redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  await pipelineInTrouble();
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

const env = () => ({ REDIS_URL: server.url });
const run = (window: Window, ...args: string[]) => onTerminal(args, env(), window);

/** Enough to show on a large window, with long texts. */
async function pipelineInTrouble(): Promise<void> {
  const long = "the limit for the day is used up, and the next close must wait until midnight UTC".repeat(3);
  await redis.xgroup("CREATE", keys.streams.plan, "governor", "$", "MKSTREAM");
  await redis.xgroup("CREATE", keys.streams.result, "governor", "$", "MKSTREAM");
  for (let count = 0; count < 60; count += 1) {
    await redis.hset(keys.ledger(`COIN${count}USDT`), "last_known_amt", "1");
    await redis.xgroup("CREATECONSUMER", keys.streams.plan, "governor", `governor@host-${count}:8044`);
    const letter = {
      stream: keys.streams.plan,
      group: "governor",
      reason: count % 2 === 0 ? long : "no plan_id",
    };
    await redis.xadd(keys.streams.deadLetter, "*", ...Object.entries(letter).flat());
  }
  const limits = {
    executions_hour: "9",
    executions_5min: "3",
    notional_day: "50",
    qty_day: "2500000",
    at_ms: "1",
  };
  await redis.hset(keys.governorLimits, limits);
  const permitted = { plan_id: "67e6da21fa9fe505", symbol: "BTCUSDT", safe_qty: "1.5", wait_ms: "5" };
  await redis.xadd(keys.streams.execute, "*", ...Object.entries(permitted).flat());
  const refused = {
    plan_id: "67e6da21fa9fe506",
    symbol: "ETHUSDT",
    outcome: "BLOCKED",
    reason: "kill_switch_active",
  };
  await redis.xadd(keys.streams.result, "*", ...Object.entries(refused).flat());
  const blocked = {
    plan_id: "3f58da1bdb590b3b",
    symbol: "BTCUSDT",
    outcome: "BLOCKED",
    reason: long,
    wait_ms: "7",
  };
  await redis.xadd(keys.streams.result, "*", ...Object.entries(blocked).flat());
}

const isWhole = ({ lines }: Screen) => lines.some((line) => line.startsWith("last BLOCK"));

describe.skipIf(NO_TERMINAL).each(WINDOWS)("a window of $columns by $rows", (window) => {
  it("holds `status --follow`, through an outage and a change of its size", async () => {
    const status = run(window, "status", "--follow");
    const { lines } = await status.until(isWhole, "the status");
    expect(lines[0]).toMatch(/^\d{4}-.*Z {2}Redis 7\.\S+ at redis:/);
    expect(lines[1]).toMatch(/^kill switch +off$/);
    expect(lines.find((line) => line.startsWith("last BLOCK"))).toMatch(/^last BLOCK +\d+ m?s ago: .*…$/);
    expect(lines.join("\n")).toMatch(/^ {2}symbols +wait +open/m);

    await server.kill();
    const stale = await status.until((screen) => /^NO ANSWER/.test(screen.lines[0] ?? ""), "the outage");
    expect(stale.lines[0]).toMatch(/^NO ANSWER for \d+ m?s, since \d{4}-/);
    expect(stale.lines[1]).toContain("STALE");
    expect(stale.lines.some((line) => line.startsWith("last BLOCK"))).toBe(true);
    await server.restart();
    await status.until(
      (screen) => /^\d{4}-/.test(screen.lines[0] ?? "") && isWhole(screen),
      "the pipeline again",
    );

    const other = WINDOWS.find(({ columns }) => columns !== window.columns) ?? window;
    status.resize(other);
    const resized = await status.until(
      (screen) => screen.lines.some((line) => line.length > Math.min(79, other.columns - 2)),
      "lines of the new width",
    );
    for (const screen of [resized, status.screen()])
      expect({ scrolled: screen.scrolled, wrapped: screen.wrapped }).toEqual({ scrolled: 0, wrapped: 0 });
    status.interrupt();
    expect(await status.exited).toBe(0);
  });

  it("tells who halted, when and why, how old the last waits are, and limits beside what is used", async () => {
    const on = run(window, "kill", "on", "--reason", "prices make no sense");
    expect(await on.exited).toBe(0);
    const status = run(window, "status", "--follow");
    const { lines } = await status.until(isWhole, "the status");
    status.interrupt();
    expect(await status.exited).toBe(0);
    expect(lines[1]).toMatch(/^kill switch +ON for \d+ m?s, by \S+@\S+: prices make no sense$/);
    expect(lines.find((line) => line.startsWith("last OK"))).toMatch(
      /^last OK +\d+ \w+ ago: \[PERMIT_WAIT\] OK plan=/,
    );
    expect(lines.join("\n")).toMatch(/^ {2}COIN\d+USDT +0 +0 +0\/3 +0\/9 +0\/2\.5M +0\/50$/m);
    const off = run(window, "kill", "off", "--yes", "--reason", "over");
    expect(await off.exited).toBe(0);
  });

  it("`watch --since` has a time in each line, and what was blocked at its opening", async () => {
    const watch = run(window, "watch", "--since", "1h", "--symbol", "ethusdt");
    const { lines } = await watch.until((screen) => screen.lines.join("").includes("AT_OPENING"), "a line");
    watch.interrupt();
    expect(await watch.exited).toBe(0);
    expect(lines.join("")).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z \[AT_OPENING\] BLOCK plan=67e6da21fa9fe506 reason=kill_switch_active symbol=ETHUSDT/,
    );
  });

  it("a service that was not asked is `not asked`, and what finds nothing ends with 1", async () => {
    const verify = run(window, "verify");
    const history = run(window, "history", "--symbol", "dogeusdt");
    expect(await Promise.all([verify.exited, history.exited])).toEqual([1, 1]);
    expect(verify.shown()).toMatch(/not asked.* governor version: no instance was asked/);
    expect(history.shown()).toContain("no plan that ended so");
  });

  it("shows each dead letter on one line", async () => {
    const list = run(window, "dlq", "list");
    expect(await list.exited).toBe(0);
    const lines = list.shown().trimEnd().split("\r\n");
    expect(lines).toHaveLength(61);
    expect(lines.filter((line) => line.length > window.columns)).toEqual([]);
    expect(lines.filter((line) => line.endsWith("…"))).toHaveLength(30);
  });
});

describe.skipIf(NO_TERMINAL)("on a terminal", () => {
  const [small = { columns: 80, rows: 24 }] = WINDOWS;

  it("Ctrl-C ends `status --follow` during an outage, too, and the exit code says so", async () => {
    const status = run(small, "status", "--follow");
    await status.until(isWhole, "the status");
    // It hangs: nothing answers, and no connection is refused.
    server.pause();
    await status.until((screen) => /^NO ANSWER/.test(screen.lines[0] ?? ""), "the outage");
    status.interrupt();
    expect(await status.exited).toBe(3);
    server.resume();
    expect(status.shown()).toContain("does not answer");
  });

  it("a Redis without a pipeline is red, and exit code 1", async () => {
    const status = onTerminal(["status"], { REDIS_URL: `${server.url}/1` }, small);
    expect(await status.exited).toBe(1);
    expect(status.shown()).toContain(
      `${RED}NO PIPELINE    no service of a pipeline has ever started on this Redis`,
    );
  });

  it("dead letters are given back and dropped in bulk, by reason", async () => {
    const BULK = ["--yes", "--reason", "fixed"];
    const count = async (because: string) => {
      const list = run(small, "dlq", "list", "--because", because);
      const code = await list.exited;
      return { code, lines: list.shown().trimEnd().split("\r\n").length - 1 };
    };
    expect(await count("NO plan_id")).toEqual({ code: 0, lines: 30 });
    const all = run(small, "dlq", "drop", ...BULK);
    expect(await all.exited).toBe(2);
    const drop = run(small, "dlq", "drop", "--because", "no plan_id", "--group", "governor", ...BULK);
    expect(await drop.exited).toBe(0);
    expect(drop.shown()).toContain("30 dropped");
    expect((await count("no plan_id")).code).toBe(1);
    // What the letters tell of was trimmed.
    const requeue = run(small, "dlq", "requeue", "--stream", "apply.plan", ...BULK);
    expect(await requeue.exited).toBe(1);
    expect(requeue.shown()).toContain("30 of 30 not requeued");
    expect(await redis.xlen(keys.streams.deadLetter)).toBe(30);
    const audited = (await redis.xrange(keys.streams.operatorAudit, "-", "+")).map(([, flat]) =>
      fieldsOf(flat),
    );
    expect(audited.filter(({ action }) => action === "dlq.drop")).toHaveLength(30);
  });
});
