import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { MARK_CASES, MARKED } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { readKillSwitch, readKillSwitchSeen } from "./kill-switch.ts";

const keys = createKeys();
const HALTED = readFileSync(join(import.meta.dirname, "../../../lua/shared/halted.lua"), "utf8");
const { redis } = await useRedis();

/** The scripts' decision. */
const halted = () =>
  redis.eval(`${HALTED}\nreturn halted(KEYS[1], KEYS[1], 'none', 'none') or 'runs'`, 1, keys.killSwitch);

const word = fc.constantFrom("0", "false", "off", "no", "OFF", "No", "1", "on", "true", "yes", "", "00");
const blank = fc.constantFrom("", " ", "\t\n", "\v\f\r", "\u00a0", "\u2003", "\ufeff");

it("is read as the scripts read it, whatever it holds", async () => {
  const value = fc.oneof(
    fc.tuple(blank, word, blank).map((parts) => parts.join("")),
    fc.string({ unit: "binary" }),
  );
  await fc.assert(
    fc.asyncProperty(value, async (text) => {
      await redis.set(keys.killSwitch, text);
      const { on, value: read } = await readKillSwitch(redis, keys);
      expect(on ? "kill_switch_active" : "runs").toBe(await halted());
      expect(read).toBe(Buffer.from(text).toString());
    }),
  );
});

it("is off where there is none, and on where it is no text", async () => {
  await redis.del(keys.killSwitch);
  expect(await readKillSwitch(redis, keys)).toEqual({ on: false, value: null });
  expect(await halted()).toBe("runs");
  await redis.lpush(keys.killSwitch, "0");
  expect(await readKillSwitch(redis, keys)).toEqual({ on: true, value: "(not text)" });
  expect(await halted()).toBe("kill_switch_active");
});

it.each(MARK_CASES)("takes a mark as the scripts do: $mark", async ({ halts, write }) => {
  await redis.flushall();
  await write(redis, MARKED.killSwitchSeen);
  const seen = await readKillSwitchSeen(redis, MARKED);
  const meaning = { running: undefined, halted: "kill_switch_active", unread: "kill_switch_unread" };
  expect(meaning[seen]).toBe(halts);
});

it("needs no mark in the wire's layout", async () => {
  await redis.flushall();
  expect(await readKillSwitchSeen(redis, keys)).toBe("running");
});
