/** `exchange` and `exchange check`, with Redis and the simulated exchange alone. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Rig, startRig } from "@quantum/harness/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { permitctl as runPermitctl } from "./outcomes.fixture.ts";

let rig: Rig;
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-permitctl-"));
  rig = await startRig();
});
afterAll(async () => {
  await rig.stop();
  await rm(dir, { recursive: true });
});

const permitctl = (...args: string[]) => runPermitctl(rig.redis.url, args);

describe("exchange", () => {
  const fileWith = async (over: Record<string, string> = {}) => {
    const variables = {
      BINANCE_BASE_URL: rig.venueUrl,
      BINANCE_TESTNET_API_KEY: "sim-key",
      BINANCE_TESTNET_API_SECRET: "sim-secret",
      P33_ALLOWLIST: "BTCUSDT,NOSUCHUSDT",
      ...over,
    };
    const file = join(dir, "position-state-brain.env");
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(file, lines.join(""));
    return file;
  };
  const check = async (over?: Record<string, string>) => {
    const { code, stdout } = await permitctl(
      "exchange",
      "check",
      "--env-file",
      await fileWith(over),
      "--json",
    );
    const checks = JSON.parse(stdout) as { check: string; ok: boolean; found: string }[];
    return {
      code,
      found: new Map(checks.map((one) => [one.check, `${one.ok ? "ok" : "FAIL"} ${one.found}`])),
    };
  };

  it("is queried about clock, key, modes, events and symbols, without an order", async () => {
    const traded = async () => {
      const state = (await (await fetch(`${rig.venueUrl}/sim/state`)).json()) as Record<string, unknown>;
      return { orders: state["orders"], trades: state["trades"] };
    };
    const before = await traded();
    const { code, found } = await check();
    expect(Object.fromEntries(found)).toEqual({
      configuration: expect.stringMatching(/^ok simulated, http/),
      clock: expect.stringMatching(
        /^ok the venue is \d+ ms (ahead of|behind) this machine, \d+ ms .* Redis$/,
      ),
      key: expect.stringMatching(/^ok it reads the account/),
      "position mode": "ok one-way",
      "assets mode": "ok single-asset",
      "account events": "ok the stream connects and answers",
      BTCUSDT: expect.stringMatching(/^ok TRADING, step 0\.001, an order from 0\.001 to .*, position -?\d/),
      NOSUCHUSDT: "FAIL the venue lists no such symbol, or its rules cannot be read",
    });
    expect(code).toBe(1);
    expect((await check({ P33_ALLOWLIST: "BTCUSDT" })).code).toBe(0);
    expect(await traded()).toEqual(before);
  });

  it("fails what needs the key, and nothing else, with a wrong secret", async () => {
    const { code, found } = await check({
      BINANCE_TESTNET_API_SECRET: "no-secret",
      P33_ALLOWLIST: "BTCUSDT",
    });
    expect(code).toBe(1);
    expect(found.get("account")).toMatch(/^FAIL .*-1022/);
    expect(found.get("clock")).toMatch(/^ok/);
  });

  it("is not asked where the configuration is wrong, or while it wants no requests", async () => {
    const production = await check({ BINANCE_BASE_URL: "https://fapi.binance.com" });
    expect([...production.found]).toEqual([
      ["configuration", expect.stringContaining("production is refused")],
    ]);
    const { client, keys } = rig;
    const pause = JSON.stringify({ reason: "HTTP 418: banned", since_ms: 1, pause_ms: 60_000 });
    await client.set(keys.exchangePause("requests"), pause, "PX", 60_000);
    try {
      const { code, found } = await check();
      expect(code).toBe(1);
      expect(found.get("requests")).toMatch(
        /^FAIL accepts none for \d+ s: HTTP 418: banned; nothing was asked$/,
      );
      expect(found.has("clock")).toBe(false);
      const { stdout } = await permitctl("exchange");
      expect(stdout).toMatch(/^pauses +no requests until 20\S+Z \(\d+ s\): HTTP 418: banned$/m);
    } finally {
      await client.del(keys.exchangePause("requests"));
    }
  });

  it("is told with the use of its limits, as the services count it", async () => {
    const { client, keys } = rig;
    const nowMs = Number((await client.time())[0]) * 1_000;
    const budget = keys.exchangeBudget("orders_1m", "a second account");
    const counts = { limit: "1200", reported: "30", "spent:a": "7", "held:a": "50", "spent:b": "5" };
    await client.hset(budget, { window: String(Math.floor(nowMs / 60_000)), ...counts });
    const { stdout } = await permitctl("exchange", "--json");
    const state = JSON.parse(stdout) as { limits: { whose: string }[] };
    const mine = state.limits.filter(({ whose }) => whose === "a second account");
    // The minute may have ended in between.
    expect(mine).toEqual([
      expect.objectContaining({ kind: "orders_1m", used: expect.toBeOneOf([30, 0]), limit: 1_200 }),
    ]);
    expect((await permitctl("exchange")).stdout).toMatch(/orders_1m +a second account +\d+ +1200 +\d+ %/);
    await client.del(budget);
  });
});
