/** The operator's way out, with an executor by script: what is signed, what is told, and what counts as done. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { urlOfUser } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { fieldsOf } from "@quantum/streams";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ScriptedExecutor } from "./executor.fixture.ts";
import { permitctl } from "./outcomes.fixture.ts";

const keys = createKeys();
const BY = ["--yes", "--reason", "a drill at night"];
const WAIT_MS = 1_200;
const OF_RUN = { mode: "paper", venue: "simulated", account: "main" };

const { server, redis } = await useRedis();
let home = "";
let folder = "";
let executor: ScriptedExecutor;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "quantum-operator-"));
  folder = join(home, ".config/permitctl");
  await mkdir(folder, { recursive: true });
  await permitctl(server.url, ["keys", "new", "--operator", "alice", "--folder", folder]);
});
afterAll(() => rm(home, { recursive: true }));
beforeEach(async () => {
  await redis.flushall();
  executor = new ScriptedExecutor(server.url, redis, { BTCUSDT: "0.062", ETHUSDT: "-1.5" });
  executor.start();
});
afterEach(() => executor.stop());

const environment = () => ({ HOME: home, EXECUTOR_MODE: "paper", BINANCE_BASE_URL: "http://127.0.0.1:1" });
const run = (args: readonly string[], env: Record<string, string> = environment()) =>
  permitctl(urlOfUser(server.url, "operator"), args, WAIT_MS, env);
const audited = async () =>
  (await redis.xrange(keys.streams.operatorAudit, "-", "+")).map(([, flat]) => {
    const { action, target, reason } = fieldsOf(flat);
    return `${action} ${target}: ${reason}`;
  });
const exitsOf = (symbol: string) => executor.signed.filter((claims) => claims.symbol === symbol);

describe("flatten", () => {
  it("--all halts, closes every position and says done only after the venue has", async () => {
    const { code, stdout, stderr } = await run(["flatten", "--all", ...BY]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(executor.position).toEqual({ BTCUSDT: "0", ETHUSDT: "0" });
    expect(await redis.get(keys.killSwitch)).toBe("1");
    expect(stdout).toMatch(/^ {2}BTCUSDT +0\.062 +SELL 0\.062 +0$/m);
    expect(stdout).toMatch(/^ETHUSDT: BUY up to 1\.5, plan [0-9a-f]{16}$/m);
    expect(stdout).toMatch(/^flatten --all, .*: done$/m);
    expect(stdout).toMatch(/^ {2}ETHUSDT +-1\.5 +1\.5 +0 +flat +[0-9a-f]{16}$/m);
    expect(stdout).toContain("no position is open, no resting order.");
    expect((await audited()).toSorted()).toEqual([
      "exit.drill ACCOUNT: a drill at night",
      "exit.drill ACCOUNT: a drill at night",
      "exit.flatten BTCUSDT: a drill at night",
      "exit.flatten ETHUSDT: a drill at night",
      "kill.on kill_switch: a drill at night",
    ]);
  });

  it("signs one plan for one symbol, mode, venue and account, for a minute by Redis's clock", async () => {
    await run(["flatten", "btcusdt", ...BY, "--account", "second"]);
    const [claims] = exitsOf("BTCUSDT");
    expect(claims).toMatchObject({
      issuer: "alice",
      class: "operator",
      mode: "paper",
      venue: "simulated",
      account: "second",
      attempt: "0-0",
      side: "SELL",
      step: "CLOSE_BY_OPERATOR",
      pct: "100",
      safe_qty: "0.062",
      position: "0.062",
      computed_qty: "",
    });
    expect(Number(claims?.until_ms) - Number(claims?.issued_ms)).toBe(60_000);
    expect(exitsOf("ETHUSDT")).toEqual([]);
    expect(await redis.exists(keys.killSwitch)).toBe(0);
  });

  it("goes on with fresh plans through partial fills and rejections, each for what the venue says is left", async () => {
    const script = [
      { executedQty: "0.05" },
      { outcome: "REJECTED", reason: "rejected_by_exchange", detail: "PERCENT_PRICE (-4131)" } as const,
      { executedQty: "0.01", left: "0.002" },
    ];
    executor.decide = ({ symbol }) => (symbol === "BTCUSDT" ? script.shift() : undefined);
    const { code, stdout } = await run(["flatten", "BTCUSDT", ...BY]);
    expect(code).toBe(0);
    expect(exitsOf("BTCUSDT").map(({ safe_qty: quantity }) => quantity)).toEqual([
      "0.062",
      "0.012",
      "0.012",
      "0.002",
    ]);
    expect(new Set(exitsOf("BTCUSDT").map(({ plan }) => plan)).size).toBe(4);
    expect(stdout).toContain("BTCUSDT: executed 0.05, 0.012 left\n");
    expect(stdout).toContain(
      "BTCUSDT: REJECTED rejected_by_exchange: PERCENT_PRICE (-4131); next plan in 500 ms\n",
    );
  });

  it("cancels what rests of a flat symbol, and closes what has opened meanwhile", async () => {
    const resting = { id: "7", kind: "order", side: "BUY", type: "LIMIT", qty: "1", reduces: false } as const;
    executor.set("ETHUSDT", "0");
    executor.cancels = [{ symbol: "SOLUSDT", ...resting }];
    executor.decide = ({ symbol, position }) => {
      if (symbol !== "SOLUSDT") return undefined;
      executor.cancels = [];
      // Filled before it was cancelled.
      if (position === "0") return { outcome: "NOT_PLACED", reason: "quantity_below_minimum", left: "1" };
      return undefined;
    };
    const { code, stdout } = await run(["flatten", "--all", ...BY]);
    expect(code).toBe(0);
    expect(stdout).toContain("SOLUSDT order 7, BUY LIMIT 1: could open or enlarge: cancelled first");
    expect(exitsOf("SOLUSDT").map(({ side, safe_qty: quantity }) => `${side} ${quantity}`)).toEqual([
      "BUY 0",
      "SELL 1",
    ]);
  });

  it("asks again while the account cannot be read: what cannot be read is not empty", async () => {
    executor.unreadTimes = 1;
    const { code, stdout } = await run(["flatten", "--all", ...BY]);
    expect(code).toBe(0);
    expect(stdout).toContain("the positions cannot be read: HTTP 503; asked again in 500 ms, Ctrl-C stops\n");
    expect(executor.position).toEqual({ BTCUSDT: "0", ETHUSDT: "0" });
  });

  it("exits with 1 and names what is left, and why, where the venue does not say flat", async () => {
    executor.decide = ({ symbol }) =>
      symbol === "ETHUSDT"
        ? { outcome: "NOT_PLACED", reason: "quantity_below_minimum", detail: "less than the smallest order" }
        : undefined;
    const { code, stdout, stderr } = await run(["flatten", "--all", ...BY, "--json"]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "permitctl: NOT done: ETHUSDT: -1.5 is open: NOT_PLACED quantity_below_minimum: less than the smallest order\n",
    );
    expect(JSON.parse(stdout)).toMatchObject({
      command: "flatten --all",
      done: false,
      operator: "alice",
      kill_switch_turned_on: true,
      symbols: expect.arrayContaining([
        expect.objectContaining({ symbol: "BTCUSDT", end: "flat", executed_qty: "0.062" }),
        expect.objectContaining({ symbol: "ETHUSDT", end: "dust", left: "-1.5" }),
      ]),
      venue_says: { positions: [expect.objectContaining({ symbol: "ETHUSDT", amt: "-1.5" })] },
    });
  });

  it("sends nothing for a symbol that is flat already", async () => {
    executor.set("BTCUSDT", "0");
    expect(await run(["flatten", "BTCUSDT", ...BY])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(
        "BTCUSDT: the venue reports no position and no resting order. Is it spelt",
      ),
    });
    expect(exitsOf("BTCUSDT")).toEqual([]);
  });

  it("--all asks once more if nothing was there: it may have come while the operator was asked", async () => {
    for (const symbol of ["BTCUSDT", "ETHUSDT"]) executor.set(symbol, "0");
    executor.decide = () => {
      if (executor.signed.length === 2) executor.set("BTCUSDT", "0.01");
      return undefined;
    };
    expect((await run(["flatten", "--all", ...BY])).code).toBe(0);
    expect(exitsOf("BTCUSDT").map(({ side, safe_qty: quantity }) => `${side} ${quantity}`)).toEqual([
      "SELL 0.01",
    ]);
  });

  it.each(["BTCUSDT", ""])("is not done while an order of %j cannot be read", async (symbol) => {
    const unread = { id: "", kind: "order", side: "", type: "", qty: "", reduces: false } as const;
    executor.cancels = [{ symbol, ...unread }];
    expect(await run(["flatten", "BTCUSDT", ...BY])).toMatchObject({
      code: 1,
      stderr: `permitctl: NOT done: ${symbol || "some symbol"}: an order waits that cannot be read; look at the venue's own site\n`,
    });
    expect(executor.position["BTCUSDT"]).toBe("0");
  });

  it("interrupted while the account is read, halts nothing and sends nothing", async () => {
    const stop = new AbortController();
    executor.decide = () => {
      stop.abort();
      return undefined;
    };
    const url = urlOfUser(server.url, "operator");
    const args = ["flatten", "--all", ...BY];
    expect(await permitctl(url, args, WAIT_MS, environment(), stop.signal)).toMatchObject({
      code: 1,
      stderr: "permitctl: interrupted. Nothing was cancelled and nothing was sent.\n",
    });
    expect(await redis.exists(keys.killSwitch)).toBe(0);
    expect(executor.signed).toHaveLength(1);
  });

  it("interrupted and failed, is no success", async () => {
    await executor.stop();
    const stop = new AbortController();
    const url = urlOfUser(server.url, "operator");
    const running = permitctl(url, ["flatten", "--all", ...BY], WAIT_MS, environment(), stop.signal);
    await vi.waitUntil(() => redis.exists(keys.streams.execute));
    const [[, flat] = []] = await redis.xrange(keys.streams.execute, "-", "+");
    const plan = keys.plan(fieldsOf(flat ?? [])["plan_id"] ?? "");
    stop.abort();
    await redis.multi().del(plan).set(plan, "of the wrong type").exec();
    expect((await running).code).toBe(1);
  });

  it("turns with a position that changed its side", async () => {
    const script = [{ outcome: "NOT_PLACED", reason: "exit_side_changed", left: "-0.01" } as const];
    executor.decide = ({ symbol }) => (symbol === "BTCUSDT" ? script.shift() : undefined);
    expect((await run(["flatten", "BTCUSDT", ...BY])).code).toBe(0);
    expect(exitsOf("BTCUSDT").map(({ side, safe_qty: quantity }) => `${side} ${quantity}`)).toEqual([
      "SELL 0.062",
      "BUY 0.01",
    ]);
  });
});

it("stops where somebody opens the position as fast as it is closed", async () => {
  executor.decide = ({ symbol, position }) => (symbol === "BTCUSDT" ? { left: position } : undefined);
  const { code, stderr } = await run(["flatten", "BTCUSDT", ...BY]);
  expect(code).toBe(1);
  expect(exitsOf("BTCUSDT")).toHaveLength(3);
  expect(stderr).toContain("BTCUSDT: 0.062 is open: somebody opens it again as fast as it is closed");
});

describe("close", () => {
  it.each([
    ["--pct", "50", "0.031"],
    ["--qty", "0.02", "0.02"],
  ])("closes a part, %s %s, and no more", async (option, value, quantity) => {
    const { code } = await run(["close", "BTCUSDT", option, value, ...BY]);
    expect(code).toBe(0);
    expect(exitsOf("BTCUSDT").map(({ safe_qty: signed }) => signed)).toEqual([quantity]);
    expect((await audited()).join()).toContain("exit.close BTCUSDT");
    expect(await redis.exists(keys.killSwitch)).toBe(0);
  });

  it("goes on until that much is executed, and takes the rest that the step leaves for done", async () => {
    const script = [
      { executedQty: "0.02" },
      { executedQty: "0.01" },
      { outcome: "NOT_PLACED", reason: "quantity_below_minimum" } as const,
    ];
    executor.decide = ({ symbol }) => (symbol === "BTCUSDT" ? script.shift() : undefined);
    const { code, stdout } = await run(["close", "BTCUSDT", "--pct", "50", ...BY]);
    expect({ code, plans: exitsOf("BTCUSDT").map(({ safe_qty: signed }) => signed) }).toEqual({
      code: 0,
      plans: ["0.031", "0.011", "0.001"],
    });
    expect(stdout).toMatch(/^ {2}BTCUSDT +0\.062 +0\.03 +0\.032 +closed/m);
  });

  it("is not done if the position is on the other side afterwards, however small", async () => {
    executor.decide = () => {
      if (exitsOf("BTCUSDT").length === 1 && executor.signed.length === 3) executor.set("BTCUSDT", "-0.01");
      return undefined;
    };
    const { code, stderr } = await run(["close", "BTCUSDT", "--qty", "0.02", ...BY]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "permitctl: NOT done: BTCUSDT: -0.01 is open\n" });
  });

  it("a part of no position cancels nothing", async () => {
    executor.set("BTCUSDT", "0");
    const resting = { id: "7", kind: "order", side: "BUY", type: "LIMIT", qty: "1", reduces: false } as const;
    executor.cancels = [{ symbol: "BTCUSDT", ...resting }];
    expect((await run(["close", "BTCUSDT", "--pct", "50", ...BY])).code).toBe(0);
    expect(await run(["close", "BTCUSDT", "--qty", "0.1", ...BY])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the position is only 0; nothing was sent"),
    });
    expect(exitsOf("BTCUSDT")).toEqual([]);
  });

  it("is not done if no order is that small", async () => {
    executor.decide = ({ symbol }) =>
      symbol === "BTCUSDT" ? { outcome: "NOT_PLACED", reason: "quantity_below_minimum" } : undefined;
    const { code, stderr } = await run(["close", "BTCUSDT", "--qty", "0.001", ...BY]);
    expect(code).toBe(1);
    expect(stderr).toContain("NOT done: BTCUSDT: 0.062 is open: NOT_PLACED quantity_below_minimum");
  });

  it("stops where the position changed its side: it is no longer what was shown", async () => {
    executor.decide = ({ symbol }) =>
      symbol === "BTCUSDT"
        ? { outcome: "NOT_PLACED", reason: "exit_side_changed", left: "-0.01" }
        : undefined;
    const { code, stderr } = await run(["close", "BTCUSDT", "--qty", "0.01", ...BY]);
    expect(code).toBe(1);
    expect(stderr).toContain("NOT done: BTCUSDT: -0.01 is open: NOT_PLACED exit_side_changed");
    expect(exitsOf("BTCUSDT")).toHaveLength(1);
  });

  it("refuses more than the position, and shares beyond it, before anything is sent", async () => {
    expect(await run(["close", "BTCUSDT", "--qty", "1", ...BY])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the position is only 0.062; nothing was sent"),
    });
    for (const args of [
      ["--pct", "101"],
      ["--pct", "0"],
      ["--qty", "-1"],
      ["--pct", "5", "--qty", "1"],
    ])
      expect((await run(["close", "BTCUSDT", ...args, ...BY])).code).toBe(2);
    expect(exitsOf("BTCUSDT")).toEqual([]);
  });
});

describe("--drill", () => {
  it("shows what would be cancelled and sent, needs no reason, and leaves everything as it is", async () => {
    const { code, stdout } = await run(["flatten", "--drill"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}ETHUSDT +-1\.5 +BUY 1\.5 +0$/m);
    expect(stdout).toContain("Drill passed: the executor believes this key");
    expect(executor.signed.map((claims) => [claims.class, claims.symbol])).toEqual([["drill", "ACCOUNT"]]);
    expect(await redis.exists(keys.killSwitch)).toBe(0);
  });

  it("says what is in the way, and exits with 1 only if the account cannot be read", async () => {
    executor.hindrances = ["only one operator's key is enrolled"];
    const hindered = await run(["flatten", "--drill"]);
    expect(hindered.code).toBe(0);
    expect(hindered.stdout).toContain("in the way: only one operator's key is enrolled\n");
    executor.unreadTimes = 1;
    const unread = await run(["flatten", "--drill"]);
    expect(unread.code).toBe(1);
    expect(unread.stdout).toContain("in the way: the positions cannot be read: HTTP 503\n");
  });

  it("says what was signed where the executor does not believe it", async () => {
    executor.decide = () => ({
      outcome: "NOT_PLACED",
      reason: "exit_not_enrolled",
      detail: "no operator's key",
    });
    expect(await run(["flatten", "--drill"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^permitctl: the executor refused: NOT_PLACED exit_not_enrolled: no operator's key\. Nothing was cancelled and nothing was sent\. It was signed as alice \(key [0-9a-f]{16}\) for mode paper, venue simulated, account main: compare EXECUTOR_OPERATOR_KEYS_FILE/,
      ),
    });
  });
});

describe("what is missing is named, and nothing is sent", () => {
  const without = (name: string) =>
    Object.fromEntries(Object.entries(environment()).filter(([key]) => key !== name));

  it.each([
    ["a word", ["flatten", "BTCUSDT", "--reason", "x"], environment, "--yes and --reason TEXT are required"],
    ["symbols", ["flatten", ...BY], environment, "name the symbols to flatten, or --all"],
    ["one of two", ["flatten", "--all", "BTCUSDT", ...BY], environment, "name no symbols with it"],
    ["the mode", ["flatten", "--all", ...BY], () => without("EXECUTOR_MODE"), "--mode, or EXECUTOR_MODE"],
    [
      "the venue",
      ["flatten", "--all", ...BY],
      () => without("BINANCE_BASE_URL"),
      "--venue, or BINANCE_BASE_URL",
    ],
    ["a mode with orders", ["flatten", "--all", ...BY, "--mode", "dry_run"], environment, "sends no orders"],
    [
      "a key",
      ["flatten", "--all", ...BY],
      () => ({ ...environment(), HOME: "/nowhere" }),
      "permitctl keys new --operator NAME",
    ],
    ["a name", ["flatten", "--all", ...BY, "--key", "/some/key.pem"], environment, "--operator NAME"],
    [
      "a key that can be read",
      ["flatten", "--all", ...BY, "--key", "/operator-eve.pem"],
      environment,
      "/operator-eve.pem does not exist",
    ],
  ])("%s", async (_, args, env, told) => {
    expect(await run(args, env())).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining(told),
    });
    expect(await redis.exists(keys.streams.execute)).toBe(0);
  });

  it("takes variables from --env-file, and the key of a running pipeline with --run", async () => {
    const envFile = join(home, "night.env");
    await writeFile(envFile, "EXECUTOR_MODE=testnet\nBINANCE_BASE_URL=https://testnet.binancefuture.com\n");
    await run(["flatten", "--drill", "--env-file", envFile], { HOME: home });
    const runFile = join(home, "run.json");
    const redisUrl = urlOfUser(server.url, "operator");
    await writeFile(
      runFile,
      JSON.stringify({ redis: { url: redisUrl }, exit: { keysFolder: folder, ...OF_RUN } }),
    );
    await run(["flatten", "--drill", "--run", runFile], { HOME: "/nowhere", EXECUTOR_MODE: "testnet" });
    expect(executor.signed.map(({ mode, venue }) => `${mode} ${venue}`)).toEqual([
      "testnet testnet.binancefuture.com",
      "paper simulated",
    ]);
  });

  it("the right to open plans", async () => {
    expect(
      await permitctl(urlOfUser(server.url, "viewer"), ["flatten", "--drill"], WAIT_MS, environment()),
    ).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("this Redis user lacks a required right"),
    });
  });
});
