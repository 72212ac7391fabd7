/** Each command with a running pipeline. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { disarm } from "@quantum/permits";
import { fieldsOf } from "@quantum/streams";
import { eventually, shellWord } from "@quantum/harness";
import { PUBLIC_KEYS_FILE } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  bringAbout,
  OUTCOME_NAMES,
  type Outcomes,
  type Pipeline,
  propose,
  reached,
  startPipeline,
} from "./outcomes.fixture.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PATIENCE_MS = 15_000;
const BY = ["--yes", "--reason", "a drill"];

let pipeline: Pipeline;
let plans: Outcomes;
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-permitctl-"));
  pipeline = await startPipeline();
  plans = await bringAbout(pipeline);
});
afterAll(async () => {
  await pipeline.stop();
  await rm(dir, { recursive: true });
});

const permitctl = (...args: string[]) => pipeline.permitctl(...args);

/** The answer of a command that succeeds. */
async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await permitctl(...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

async function lastAudit(): Promise<Record<string, string>> {
  const { client, keys } = pipeline.rig;
  const [newest] = await client.xrevrange(keys.streams.operatorAudit, "+", "-", "COUNT", 1);
  return fieldsOf(newest?.[1] ?? []);
}

const READY_AGAIN_MS = 25_000;

describe("explain", () => {
  const EXPECTED: Record<keyof Outcomes, { stages: string[]; conclusion: RegExp }> = {
    EXECUTED: {
      stages: ["open", "governor", "p33", "verdict", "claim", "result"],
      conclusion: /^Executed: every permit had arrived after \d+ ms, and order \d+ closed 0\.046\.$/,
    },
    SKIP: { stages: ["open", "result"], conclusion: /^Skipped: .* \(action_hold\); nothing was spent/ },
    ERROR: { stages: ["open", "result"], conclusion: /^Ended as an error: .*unknown_action_PARTIAL_80/ },
    "BLOCKED, the kill switch is on": {
      stages: ["open", "result"],
      conclusion: /^Blocked: the kill switch is on.*nothing was sent\.$/,
    },
    "BLOCKED, an issuer is missing": {
      stages: ["open", "governor", "result"],
      // 2,500 ms, and as much more as the machine is busy.
      conclusion: /^Blocked after (2[5-9]\d\d|[3-9]\d{3}|\d{5}) ms: .*\(missing_p33\); nothing was spent/,
    },
    "BLOCKED, an issuer denies": {
      stages: ["open", "p33", "result"],
      conclusion: /^Blocked after \d+ ms: p33 denied: .*\(reconcile_required_qty_mismatch\)/,
    },
    REJECTED: {
      stages: ["open", "governor", "p33", "verdict", "claim", "result"],
      conclusion: /^Rejected: .*\(rejected_for_account\): .*-2019/,
    },
    NOT_PLACED: {
      stages: ["open", "governor", "p33", "verdict", "claim", "result"],
      conclusion:
        /^Not placed: .*\(rate_limited\); the permits are spent, and the order was claimed: the plan never opens again/,
    },
    UNKNOWN: {
      stages: ["open", "governor", "p33", "verdict", "claim", "doubt"],
      conclusion: /^In doubt: .*nothing is sent again\.$/,
    },
    DRY_RUN: {
      stages: ["open", "governor", "p33", "verdict", "result"],
      conclusion: /^Dry run: every permit had arrived after \d+ ms/,
    },
  };

  it.each(OUTCOME_NAMES)("tells the timeline of a plan that ended %s, and why it did", async (name) => {
    const told = (await json("explain", plans[name])) as {
      state: string;
      conclusion: string;
      attempts: { stages: { stage: string; delta_ms: number; since_open_ms: number; at_ms: number }[] }[];
    };
    const { stages, conclusion } = EXPECTED[name];
    expect(told.state).toBe(name.split(",")[0]);
    expect(told.conclusion).toMatch(conclusion);
    const [attempt] = told.attempts;
    // Two issuers answer in any order; a denial may come before the other answer.
    const found = attempt?.stages.map(({ stage }) => stage) ?? [];
    expect(found).toEqual(expect.arrayContaining(stages));
    expect([found[0], found.at(-1)]).toEqual([stages[0], stages.at(-1)]);
    const deltas = attempt?.stages.map(({ delta_ms }) => delta_ms) ?? [];
    expect(Math.min(...deltas)).toBeGreaterThanOrEqual(0);
    expect(deltas.reduce((sum, delta) => sum + delta, 0)).toBe(attempt?.stages.at(-1)?.since_open_ms);
  });

  it("answers people in lines without colours where nobody looks, and says what it does not know", async () => {
    const { stdout } = await permitctl("explain", plans["BLOCKED, an issuer denies"]);
    expect(stdout).toMatch(/^plan [0-9a-f]{16} XRPUSDT: BLOCKED\n/);
    expect(stdout).toMatch(/\d+ ms +\(\+\d+\) +p33 +denied: reconcile_required_qty_mismatch\n/);
    expect(stdout).toContain("\nCheck: compare p33_exchange_position_amt");
    expect(stdout).not.toContain("\x1b");
    expect(await permitctl("explain", "0000000000000000")).toMatchObject({ code: 1, stdout: "" });
    expect((await permitctl("explain", "67E6")).code).toBe(2);
  });
});

it("explain names what it cannot read of a plan, and tells the rest", async () => {
  const { client, keys } = pipeline.rig;
  const key = keys.plan(plans.SKIP);
  await client.hset(key, { deadline_ms: "soon" });
  const problem = `${key}: deadline_ms is "soon", and must be a whole number`;
  expect(await json("explain", plans.SKIP)).toMatchObject({ state: "SKIP", unreadable: [problem] });
  const { stdout } = await permitctl("explain", plans.SKIP);
  expect(stdout).toContain(`\nNot shown, because it cannot be read: ${problem}\n`);
  await client.hdel(key, "deadline_ms");
});

it("permit verify checks what an order stood on, each issuer's permit", async () => {
  const { client, keys, keysFolder } = pipeline.rig;
  const entries = (await client.xrange(keys.streams.execute, "-", "+")).map(([, flat]) => fieldsOf(flat));
  const entry = entries.find(({ plan_id: id }) => id === plans.EXECUTED);
  const file = join(dir, "entry.json");
  await writeFile(file, JSON.stringify(entry));
  const told = await json("permit", "verify", file, "--keys", join(keysFolder, PUBLIC_KEYS_FILE));
  const common = { valid: true, plan: plans.EXECUTED, symbol: "BTCUSDT", mode: "paper", venue: "simulated" };
  expect(told).toMatchObject([
    { ...common, issuer: "governor" },
    { ...common, issuer: "p33", safe_qty: entry?.["safe_qty"] },
  ]);
});

describe("exchange", () => {
  it("shows the use of its limits, the last audit, and what each service here knows of it", async () => {
    expect(await json("exchange")).toMatchObject({
      limits: expect.arrayContaining([
        expect.objectContaining({ kind: "weight_1m", whose: "default", used: expect.any(Number) }),
      ]),
      audited_at_ms: expect.any(Number),
      services: [
        {
          instance: expect.stringMatching(/^executor@/),
          clock_offset_ms: expect.any(Number),
          stream: { up: true, connected_ms: expect.any(Number), pong_age_ms: expect.any(Number) },
        },
        { instance: expect.stringMatching(/^position-brain@/), clock_offset_ms: expect.any(Number) },
      ],
    });
    const { stdout } = await permitctl("exchange");
    expect(stdout).toMatch(/^ {2}executor@\S+ +\d+ ms (ahead|behind) +up +\d+ \w+ +\d+ \w+ ago/m);
    expect(stdout).toMatch(/^last audit +\d+ m?s ago/m);
  });
});

describe("status and history", () => {
  it("shows services with their versions, groups, limits, holds, doubts and the last waits", async () => {
    const status = await json("status");
    expect(status).toMatchObject({
      redis: { durable: true, problems: [] },
      kill_switch: { on: false },
      disarm: null,
      dead_letters: 0,
      last_ok: { outcome: "OK", plan_id: plans.DRY_RUN, symbol: "SOLUSDT", safe_qty: "42.15" },
      last_block: {
        outcome: "BLOCK",
        reason: "p33_permit_denied",
        detail: "reconcile_required_qty_mismatch",
      },
      services: expect.arrayContaining([
        expect.objectContaining({ service: "governor", alive: true, ready: true, version: "0.1.0" }),
        expect.objectContaining({ service: "apply-layer", alive: false, ready: null }),
      ]),
      groups: expect.arrayContaining([
        expect.objectContaining({ stream: "quantum:stream:apply.plan", group: "p33", lag: 0, pending: 0 }),
      ]),
      symbols: expect.arrayContaining([
        expect.objectContaining({
          symbol: "1000SHIBUSDT",
          unsettled: 1,
          in_doubt: [expect.objectContaining({ plan_id: plans.UNKNOWN })],
        }),
        expect.objectContaining({ symbol: "BTCUSDT", executions_hour: 1, charged_qty: "0.046" }),
        expect.objectContaining({
          symbol: "XRPUSDT",
          hold: expect.objectContaining({ exchange_amt: "1000.0", ledger_amt: "2600.5" }),
          unfulfilled: {
            since_ms: expect.any(Number),
            position_amt: "1000.0",
            last: "BLOCKED p33_permit_denied reconcile_required_qty_mismatch",
          },
        }),
      ]),
    });
    const { stdout } = await permitctl("status");
    expect(stdout).toMatch(/^holds +XRPUSDT for \d+ m?s$/m);
    // 80 million is the limit of a run at the simulated exchange.
    expect(stdout).toMatch(/^ {2}BTCUSDT +0 +0 +1\/80M +1\/80M +0\.046\/80M +\d+\/80M$/m);
    expect(stdout).toMatch(
      /^unfulfilled +.*close of XRPUSDT for \d+ m?s \(position 1000\.0, last plan BLOCKED p33_permit_denied /m,
    );
    // It was executed, and so is not waited for.
    expect(stdout).not.toContain("close of BTCUSDT");
    expect(stdout).toMatch(
      /^last OK +\d+ m?s ago: \[PERMIT_WAIT\] OK plan=.* safe_qty=42\.1500 symbol=SOLUSDT$/m,
    );
  });

  it("lists how plans ended, filtered", async () => {
    const blocked = await json("history", "--symbol", "xrpusdt", "--outcome", "blocked");
    expect(blocked).toEqual([
      expect.objectContaining({ plan_id: plans["BLOCKED, an issuer denies"], outcome: "BLOCKED" }),
    ]);
    expect(await json("history", "--limit", "3")).toHaveLength(3);
    expect(await json("history", "--reason", "missing_p33")).toHaveLength(1);
    expect((await permitctl("history", "--outcome", "LOST")).code).toBe(2);
    expect((await permitctl("history", "--limit", "0")).code).toBe(2);
    expect(await permitctl("history", "--symbol", "DOGEUSDT")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("no plan that ended so"),
    });
  });
});

describe("doubt end", () => {
  it("is refused where nothing is in doubt, and without a quantity of what was executed", async () => {
    const answers = await Promise.all([
      permitctl("doubt", "end", plans.EXECUTED, "--as", "not-placed", ...BY),
      permitctl("doubt", "end", plans.UNKNOWN, "--as", "executed", ...BY),
      permitctl("doubt", "end", plans.UNKNOWN, "--as", "executed", "--quantity", "1e9", ...BY),
      permitctl("doubt", "end", plans.UNKNOWN, ...BY),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([1, 2, 2, 2]);
    expect(answers[0]?.stderr).toContain("is not in doubt: its order is EXECUTED; nothing was changed");
  });

  it("puts the statement on record, and the exchange's word counts where it knows the order", async () => {
    const { rig } = pipeline;
    const ending = json("doubt", "end", plans.UNKNOWN, "--as", "not-placed", ...BY);
    const stated = async () => ((await lastAudit())["action"] === "doubt.end" ? true : undefined);
    await eventually(stated, PATIENCE_MS, "it is on record");
    expect(await lastAudit()).toMatchObject({ target: plans.UNKNOWN, reason: "a drill" });
    const told = (await json("explain", plans.UNKNOWN)) as { conclusion: string };
    expect(told.conclusion).toContain("an operator stated NOT_PLACED");
    await fetch(`${rig.venueUrl}/sim/faults`, { method: "DELETE" });
    expect(await ending).toMatchObject({ plan_id: plans.UNKNOWN, state: "EXECUTED", as_stated: false });
  });
});

describe("verify", () => {
  it("verifies what is deployed, one line a check, and fails if the file says otherwise", async () => {
    // The exchange answers queries again, but its last failure still counts briefly.
    await fetch(`${pipeline.rig.venueUrl}/sim/faults`, { method: "DELETE" });
    const { stdout } = await vi.waitFor(async () => {
      const verified = await permitctl("verify");
      const failed = verified.stdout.split("\n").filter((line) => line.startsWith("FAIL"));
      expect({ code: verified.code, failed }).toEqual({ code: 0, failed: [] });
      return verified;
    }, READY_AGAIN_MS);
    expect(stdout).toMatch(/^ok +results: \d+ attempts, corrections 0$/m);
    expect(stdout).toMatch(/^ok +last OK: plan=\w+ wait_ms=\d+ of 2500 safe_qty=42\.15$/m);
    const envFile = join(dir, "apply-layer.env");
    await writeFile(envFile, "APPLY_PERMIT_WAIT_MS=900\nAPPLY_PERMIT_STEP_MS=100\n");
    const other = await permitctl("verify", "--env-file", envFile);
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(/^FAIL +configuration: .*the newest plan had 2500 ms$/m);
  });

  it("looks for an issuer that plans do not need by default where it has run", async () => {
    const { client, keys } = pipeline.rig;
    expect((await permitctl("verify")).stdout).not.toContain("portfolio-gate");
    for (const stream of [keys.streams.plan, keys.streams.result])
      await client.xgroup("CREATE", stream, "p26", "$");
    const { code, stdout } = await permitctl("verify");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL +portfolio-gate ready: no instance/m);
    expect(stdout).toMatch(/^ok +group p26 on quantum:stream:apply\.plan: lag 0/m);
    for (const stream of [keys.streams.plan, keys.streams.result])
      await client.xgroup("DESTROY", stream, "p26");
  });
});

describe("what changes something", () => {
  it("asks for --yes and --reason without a terminal, and changes nothing without them", async () => {
    const { client, keys } = pipeline.rig;
    const audited = await client.xlen(keys.streams.operatorAudit);
    await client.set(keys.killSwitch, "1");
    const answer = await permitctl("kill", "off", "--yes");
    expect(answer).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes and --reason TEXT are required"),
    });
    expect(await client.getdel(keys.killSwitch)).toBe("1");
    expect(await client.xlen(keys.streams.operatorAudit)).toBe(audited);
  });

  it("turns the kill switch on and off, on record", async () => {
    const { client, keys } = pipeline.rig;
    const audited = await client.xlen(keys.streams.operatorAudit);
    expect(await json("kill", "on", ...BY)).toEqual({ kill_switch: "on", changed: true, recorded: true });
    expect(await client.get(keys.killSwitch)).toBe("1");
    expect(await lastAudit()).toMatchObject({
      action: "kill.on",
      target: "kill_switch",
      reason: "a drill",
      who: expect.stringContaining(`@${hostname()}`),
      detail: '{"before": ""}',
    });
    expect(await json("kill", "off", ...BY)).toEqual({ kill_switch: "off", changed: true });
    expect(await client.exists(keys.killSwitch)).toBe(0);
    expect(await client.xlen(keys.streams.operatorAudit)).toBe(audited + 2);
  });

  it("clears a disarm", async () => {
    const { client, keys } = pipeline.rig;
    await disarm(client, keys, { reason: "burst_limit_exceeded", context: {} });
    expect(await json("status")).toMatchObject({ disarm: { reason: "burst_limit_exceeded" } });
    expect(await json("disarm", "clear", ...BY)).toMatchObject({ cleared: true });
    expect(await json("disarm", "clear", ...BY)).toEqual({ cleared: false });
    expect(await client.keys("quantum:governor:disarm*")).toEqual([]);
    expect(await lastAudit()).toMatchObject({ action: "disarm.clear", target: "disarm" });
  });

  it("forces a fresh attempt of the present proposal", async () => {
    const { rig } = pipeline;
    const { client, keys } = rig;
    await json("kill", "on", ...BY);
    const id = await propose(rig, "ETHUSDT", "PARTIAL_75", "hash");
    await reached(rig, id, "BLOCKED");
    await json("kill", "off", ...BY);
    const shown = await permitctl("force", "ETHUSDT");
    expect(shown.code).toBe(2);
    expect(await client.exists(keys.dedupe(id))).toBe(1);
    expect(await json("force", "ETHUSDT", ...BY)).toEqual({
      cleared: [{ symbol: "ETHUSDT", plan_id: id, result: "cleared" }],
      left: [],
    });
    expect(await lastAudit()).toMatchObject({ action: "force", target: id, detail: '{"state": "BLOCKED"}' });
    await reached(rig, id, "DRY_RUN");
    const told = (await json("explain", id)) as { attempts: unknown[] };
    expect(told.attempts).toHaveLength(2);
    expect((await permitctl("force", "DOGEUSDT", ...BY)).code).toBe(1);
  });

  it("lists dead letters, gives one back to its group, and drops it", async () => {
    const { client, keys } = pipeline.rig;
    await client.xadd(keys.streams.proposal, "*", "symbol", "no symbol");
    const letters = async () =>
      JSON.parse((await permitctl("dlq", "list", "--json")).stdout) as { id: string }[];
    const only = async () => (await letters()).at(0);
    const letter = await eventually(only, PATIENCE_MS, "a dead letter");
    expect(letter).toMatchObject({ group: "apply-layer", reason: expect.stringContaining("no symbol") });
    expect(await json("dlq", "show", letter.id)).toMatchObject({ "entry.symbol": "no symbol" });
    expect(await json("dlq", "requeue", letter.id, ...BY)).toEqual({ requeued: [letter.id], left: [] });
    // The entry is as bad as before: the group takes it over and gives up again.
    const again = await eventually(
      async () => (await letters()).find(({ id }) => id !== letter.id),
      PATIENCE_MS,
      "given up again",
    );
    expect((await permitctl("dlq", "requeue", letter.id, ...BY)).code).toBe(1);
    expect(await json("dlq", "drop", again.id, ...BY)).toEqual({ dropped: [again.id], left: [] });
    expect(await lastAudit()).toMatchObject({
      action: "dlq.drop",
      detail: expect.stringContaining("no symbol"),
    });
    expect(await letters()).toEqual([]);
    expect((await permitctl("dlq", "show", "no-id")).code).toBe(2);
  });

  it("accepts the exchange's position of a held symbol", async () => {
    expect(await json("hold", "list")).toEqual([
      expect.objectContaining({ symbol: "XRPUSDT", exchange_amt: "1000.0", ledger_amt: "2600.5" }),
    ]);
    expect(await json("hold", "accept", "XRPUSDT", ...BY)).toEqual({
      symbol: "XRPUSDT",
      origin: "accepted",
      ledger_amt: "1000.0",
    });
    expect(await permitctl("hold", "list")).toMatchObject({ code: 1, stdout: "" });
    expect((await permitctl("hold", "accept", "XRPUSDT", ...BY)).code).toBe(1);
    expect(await lastAudit()).toMatchObject({ action: "hold.accept", target: "XRPUSDT" });
  });
});

describe("the commands that operators know by heart", () => {
  const sh = async (command: string) =>
    (await promisify(execFile)("sh", ["-c", command], { cwd: ROOT })).stdout.trim().split("\n");

  it("finds the waits in the log", async () => {
    const log = join(dir, "apply-layer.log");
    const lines = pipeline.service("apply-layer").logs.map((record) => JSON.stringify(record));
    await writeFile(log, `${lines.join("\n")}\n`);
    const waits = await sh(`cat ${shellWord(log)} | grep "\\[PERMIT_WAIT\\]"`);
    const texts = await sh(`cat ${shellWord(log)} | grep -o '\\[PERMIT_WAIT\\][^"]*'`);
    expect(texts).toHaveLength(waits.length);
    expect(texts[0]).toMatch(
      /^\[PERMIT_WAIT\] OK plan=[0-9a-f]{16} wait_ms=\d+ safe_qty=42\.1500 symbol=SOLUSDT$/,
    );
  });

  it("finds how long plans wait in the environment file", async () => {
    expect(await sh(`grep "PERMIT_WAIT" ops/systemd/env/apply-layer.env`)).toEqual([
      "APPLY_PERMIT_WAIT_MS=1200",
    ]);
    expect(await sh(`grep "PERMIT_" ops/systemd/env/apply-layer.env`)).toEqual([
      "APPLY_PERMIT_WAIT_MS=1200",
      "APPLY_PERMIT_STEP_MS=100",
    ]);
  });

  it("resets plans, also by scanning and deleting, and none that was claimed", async () => {
    const told = await json("reset", plans.DRY_RUN, plans.EXECUTED, "--yes", "--reason", "a test");
    expect(told).toMatchObject({ reset: [plans.DRY_RUN], left: [{ result: "order" }] });
    const { redis, client } = pipeline.rig;
    const cli = `${shellWord(redis.binary.cli ?? "redis-cli")} -p ${redis.port}`;
    await sh(`${cli} --scan --pattern "quantum:apply:*" | xargs ${cli} DEL`);
    expect(await client.exists(pipeline.rig.keys.spent(plans.EXECUTED))).toBe(1);
    // The record is gone, but the streams and the order still show the outcome.
    expect(await json("explain", plans.EXECUTED)).toMatchObject({ state: "EXECUTED" });
  });
});

describe("when a service is gone", () => {
  it("fails verify", async () => {
    await pipeline.service("governor").stop();
    const { code, stdout } = await permitctl("verify");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL +governor ready: no instance/m);
  });
});
