/** The exit matrix: what is broken in the pipeline. Each row ends flat. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { PIPELINE, QUANTITY_ISSUER } from "@quantum/topology";
import { type ExitStage, expectFlat, expectOnlyReduced, openExitStage } from "./stage.ts";

const TIMEOUT_MS = 120_000;
const SYMBOL = "BTCUSDT";
const ISSUING = { "apply-layer": {}, governor: {}, "position-brain": { P33_POLL_SEC: "1" } };

let stage: ExitStage;
afterEach(async () => {
  await expectOnlyReduced(stage);
  await stage.stop();
});

describe("a service is dead", () => {
  it.each(["apply-layer", "governor", "position-brain"])("%s", { timeout: TIMEOUT_MS }, async (name) => {
    stage = await openExitStage({ services: ISSUING });
    await stage.started.get(name)?.kill();
    expectFlat(await stage.flatten(["--all"]));
    expect(await stage.open()).toEqual({});
  });

  it("all of them, killed in the middle of their work", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage({
      services: { ...ISSUING, "harvest-feed": { FEED_RATE: "50", FEED_MAX: "0" } },
    });
    await stage.until(
      async () => (await stage.client.xlen(stage.keys.streams.result)) > 10 || undefined,
      "plans are executed",
    );
    for (const [name, service] of stage.started) if (name !== "executor") await service.kill();
    expectFlat(await stage.flatten(["--all"]));
    expect(await stage.open()).toEqual({});
  });
});

describe("beside a pipeline that works", () => {
  it(
    "exits cost the issuers nothing: no charge, no cooldown, no disarm",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage({
        services: {
          ...ISSUING,
          // A second execution within five minutes would disarm.
          governor: { GOV_MAX_EXEC_PER_5MIN: "1", GOV_MAX_EXEC_PER_HOUR: "1" },
          "position-brain": { P33_POLL_SEC: "1", P33_COOLDOWN_SEC: "600" },
        },
      });
      expect(PIPELINE.map(({ name }) => name)).toContain("position-brain");
      for (const symbol of [SYMBOL, "SOLUSDT", "XRPUSDT"]) expectFlat(await stage.flatten([symbol]));
      expect(await stage.client.exists(stage.keys.disarm)).toBe(0);
      const { charges, executions } = stage.keys.reservations("governor", SYMBOL);
      expect(await stage.client.exists(charges, executions)).toBe(0);
      // What P3.3 books is what was executed.
      await stage.until(
        async () =>
          Number(await stage.client.hget(stage.keys.ledger(SYMBOL), "last_known_amt")) === 0 || undefined,
        "P3.3 has booked the fills",
      );
      const pending = await stage.client.xpending(stage.keys.streams.plan, QUANTITY_ISSUER);
      expect(Number(pending[0])).toBe(0);
    },
  );
});

describe("nobody is enrolled", () => {
  it("the executor runs, obeys no exit, and says why", { timeout: TIMEOUT_MS }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "quantum-exit-"));
    const nobody = join(folder, "operators.json");
    await writeFile(nobody, "{}\n", { mode: 0o644 });
    stage = await openExitStage({ executor: { EXECUTOR_OPERATOR_KEYS_FILE: nobody } });
    const before = await stage.open();
    const { code, output } = await stage.flatten(["--all"]);
    await rm(folder, { recursive: true });
    expect([code, output]).toEqual([1, expect.stringContaining("exit_not_enrolled")]);
    expect(await stage.open()).toEqual(before);
    expect(await stage.client.hget(stage.keys.exit, "keys")).toBe("0");
  });
});

describe("nothing is open", () => {
  it("there is nothing to do, and nothing is sent", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage();
    expectFlat(await stage.flatten(["--all"]));
    const sent = await stage.sent();
    expectFlat(await stage.flatten(["--all"]));
    expect(await stage.sent()).toEqual(sent);
  });
});

describe("halted and held", () => {
  it("kill switch and disarm", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage({ services: ISSUING });
    await stage.client.set(stage.keys.killSwitch, "1");
    await stage.client.set(
      stage.keys.disarm,
      '{"reason": "burst_limit_breach", "context": {}, "timestamp": 1}',
    );
    expectFlat(await stage.flatten(["--all"]));
    expect(await stage.open()).toEqual({});
    expect(await stage.client.exists(stage.keys.disarm)).toBe(1);
  });

  it("a symbol that P3.3 holds", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage({ services: ISSUING });
    const ledger = () => stage.client.hget(stage.keys.ledger(SYMBOL), "last_known_amt");
    await stage.until(async () => (await ledger()) ?? undefined, "P3.3 has its pair");
    const booked = await ledger();
    await stage.sim("POST", "/sim/positions", { symbol: SYMBOL, positionAmt: "0.050", traded: false });
    await stage.until(
      async () =>
        Number(await stage.client.hget(stage.keys.snapshot(SYMBOL), "position_amt")) === 0.05 || undefined,
      "P3.3 sees a position that no trade explains",
    );
    expect(await ledger()).toBe(booked);
    expectFlat(await stage.flatten([SYMBOL]));
    expect(await stage.open()).not.toHaveProperty(SYMBOL);
  });

  it(
    "an order in doubt: its symbol and the next one are closed all the same",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      // The first order is executed, and nobody can find out.
      await stage.fault({ kind: "503_after", symbol: SYMBOL });
      await stage.fault({ kind: "503_before", path: "GET /fapi/v1/order", symbol: SYMBOL, count: 30 });
      const first = await stage.exit(["close", SYMBOL, "--pct", "30"]);
      await stage.until(async () => (await stage.sent(SYMBOL)).length > 0 || undefined, "an order is sent");
      expectFlat(await stage.flatten(["SOLUSDT"]));
      expectFlat(await stage.flatten([SYMBOL]));
      expect(await stage.open()).not.toHaveProperty(SYMBOL);
      await first.interrupt();
      await first.ended;
    },
  );
});

describe("somebody else opens", () => {
  it(
    "does not chase a position that somebody opens again as fast as it is closed",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      await stage.sim("POST", "/sim/strategy", { enabled: true });
      const { code, output } = await stage.flatten(["BTCUSDT"]);
      await stage.sim("POST", "/sim/strategy", { enabled: false });
      expect(code).not.toBe(0);
      expect(output).toContain("BTCUSDT: 0.062 is open: somebody opens it again as fast as it is closed");
    },
  );
});
