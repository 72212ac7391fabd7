/**
 * Attacks on the operators' exit, by a user with all rights in Redis (docs/security.md): only an enrolled operator can
 * close, and only what they have signed.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addRunOperator } from "@quantum/harness";
import { loadSigningKey } from "@quantum/signing";
import { OPERATOR_KEYS_FILE } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fields, openStage, type Plan, type Stage } from "../attacks/stage.ts";
import type { AttackName } from "../attacks/table.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ executor: {} });
  // Exits pass it; what passes it without an operator's signature would be an order.
  await stage.client.set(stage.keys.killSwitch, "1");
});
afterAll(() => stage.stop());

type Forge = (plan: Plan) => Promise<Fields>;

const FORGED: readonly [AttackName, reason: string, forge: Forge][] = [
  [
    "an exit signed by somebody who is not enrolled",
    "permit_forged",
    async (plan) => stage.entry(plan, [await stage.exitText(plan, {}, stage.stranger)]),
  ],
  [
    "an exit signed with a service's key",
    "permit_forged",
    async (plan) => stage.entry(plan, [await stage.exitText(plan, { issuer: "p33" }, stage.signerOf("p33"))]),
  ],
  [
    "an exit signed with a service's key in the operator's name",
    "permit_forged",
    async (plan) => stage.entry(plan, [await stage.exitText(plan, {}, stage.signerOf("governor"))]),
  ],
  [
    "an exit with another quantity than was signed",
    "permit_forged",
    async (plan) => {
      const text = await stage.exitText(plan);
      return stage.entry(plan, [text.replace(/safe_qty=[^;]*/, "safe_qty=0.062")]);
    },
  ],
  [
    "an exit of another account",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, [await stage.exitText(plan, { account: "other" })]),
  ],
  [
    "an exit of another venue",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, [await stage.exitText(plan, { venue: "binance-testnet" })]),
  ],
  [
    "an exit of another mode",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, [await stage.exitText(plan, { mode: "testnet" })]),
  ],
  [
    "an exit under another plan id",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, [await stage.exitText(await stage.inventExit())]),
  ],
  [
    "an exit for another symbol",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, [await stage.exitText(plan)], { symbol: "ETHUSDT" }),
  ],
  [
    "an exit found later",
    "permit_expired",
    async (plan) => {
      const nowMs = await stage.redisMs();
      const over = { issued_ms: String(nowMs - 120_000), until_ms: String(nowMs - 60_000) };
      return stage.entry(plan, [await stage.exitText(plan, over)]);
    },
  ],
  [
    "an exit beside issuers' permits",
    "permit_forged",
    async (plan) => stage.entry(plan, [await stage.exitText(plan), ...(await stage.texts(plan))]),
  ],
  [
    "a drill's text in the place of an exit's",
    "permit_of_another_plan",
    async (plan) => {
      const drill = { class: "drill", symbol: "ACCOUNT", side: "", safe_qty: "", position: "" } as const;
      return stage.entry(plan, [await stage.exitText(plan, drill)]);
    },
  ],
];

describe("all rights in Redis, and no operator's key", () => {
  it.each(FORGED)("%s: no order, and the plan ends with the reason", async (_, reason, forge) => {
    const plan = await stage.inventExit();
    await stage.appendNamed(await forge(plan));
    expect(await stage.result(plan)).toMatchObject({ outcome: "NOT_PLACED", reason });
    expect(await stage.orders(plan)).toBe(0);
  });

  it("issuers' permits that entry and record call an exit: the kill switch stops them", async () => {
    const plan = await stage.invent();
    await stage.client.hset(stage.keys.plan(plan.id), {
      ...{ class: "operator", passes_halts: "1", operator: "local", state: "PERMITTED" },
      ...{ symbol: plan.symbol, attempt: plan.attempt },
    });
    const fields = await stage.entry(plan, await stage.texts(plan), { class: "operator", passes_halts: "1" });
    await stage.appendNamed(fields);
    expect(await stage.result(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "kill_switch_active" });
    expect(await stage.orders(plan)).toBe(0);
  });
});

describe("what an operator did sign", () => {
  it("is executed under the kill switch: for what was signed, whatever the entry says", async () => {
    const plan = await stage.inventExit("SOLUSDT");
    const enlarged = { safe_qty: "40", position_amt: "-4000", max_qty: "40" };
    await stage.appendNamed(await stage.entry(plan, [await stage.exitText(plan)], enlarged));
    expect(await stage.result(plan)).toMatchObject({ outcome: "EXECUTED" });
    expect(await stage.executedQty(plan)).toBe(Number(plan.quantity));
  });

  it("is for at most the position, however much was signed", async () => {
    const plan = await stage.inventExit("XRPUSDT");
    const text = await stage.exitText(plan, { safe_qty: "5000" });
    await stage.appendNamed(await stage.entry(plan, [text]), "5000");
    expect(await stage.result(plan)).toMatchObject({ outcome: "EXECUTED" });
    expect(await stage.executedQty(plan)).toBe(2600.5);
  });

  it("an exit replayed: a dead letter, and no second order", async () => {
    const plan = await stage.inventExit("SOLUSDT");
    const fields = await stage.entry(plan, [await stage.exitText(plan)]);
    await stage.appendNamed(fields);
    await stage.result(plan);
    const again = await stage.append(fields);
    expect(await stage.deadLetter(again)).toBe("permits_not_spent");
    await stage.forgetOrder(plan);
    await stage.appendNamed(fields);
    await expect.poll(async () => (await stage.results(plan)).length, { timeout: 20_000 }).toBe(2);
    expect(await stage.orders(plan)).toBe(1);
  });

  it("a position that is on the other side is not touched", async () => {
    const plan = await stage.inventExit();
    const text = await stage.exitText(plan, { side: "BUY", position: "-0.062" });
    await stage.appendNamed(await stage.entry(plan, [text]));
    expect(await stage.result(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "exit_side_changed" });
    expect(await stage.orders(plan)).toBe(0);
  });

  it("an exit signed with a retired key: no order from the moment on which the list lacks it", async () => {
    const folder = stage.rig.keysFolder;
    const former = await loadSigningKey(await addRunOperator(folder, "former"));
    const enrolled = async (count: string) =>
      expect.poll(() => stage.client.hget(stage.keys.exit, "keys"), { timeout: 10_000 }).toBe(count);
    await enrolled("2");
    const file = join(folder, OPERATOR_KEYS_FILE);
    const listed = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    delete listed["former"];
    await writeFile(file, JSON.stringify(listed));
    await enrolled("1");
    const plan = await stage.inventExit();
    await stage.appendNamed(
      await stage.entry(plan, [await stage.exitText(plan, { issuer: "former" }, former)]),
    );
    expect(await stage.result(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "permit_forged" });
    expect(await stage.orders(plan)).toBe(0);
  });
});
