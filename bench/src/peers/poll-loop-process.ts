/**
 * The poll loop that our wait replaces, reimplemented: take a plan, publish it, check every 100 ms for up to 1200 ms
 * whether both permits exist, take them in one script, then continue with the next plan.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys } from "@quantum/contract";
import { connectForBlocking, connectForCommands } from "@quantum/redis";
import { monotonicMs } from "../clock.ts";
import { field } from "../stream-reader.ts";
import { POLL_STREAMS } from "./poll-loop.ts";

const WAIT_MS = 1200;
const STEP_MS = 100;

const TAKE_BOTH = `
local governor, p33 = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if not governor or not p33 then return false end
redis.call('DEL', KEYS[1], KEYS[2])
return { governor, p33 }`;

const keys = createKeys();
const url = process.env["REDIS_URL"] ?? "";
const onError = () => undefined;
const redis = connectForCommands({ url, name: "poll-loop", onError });
const reads = connectForBlocking({ url, name: "poll-loop:reads", onError });

console.log(JSON.stringify({ msg: "ready" }));
for (let cursor = "$"; ;) {
  const reply = await reads.xread("COUNT", 1, "BLOCK", 0, "STREAMS", POLL_STREAMS.work, cursor);
  const entry = reply?.[0]?.[1][0];
  if (entry === undefined) continue;
  cursor = entry[0];
  const fields = entry[1];
  const id = field(fields, "plan_id");
  await redis.xadd(keys.streams.plan, "*", ...fields);
  const ok = await waitForPermits(id);
  void redis.xadd(
    POLL_STREAMS.verdicts,
    "*",
    "plan_id",
    id,
    "ok",
    String(ok),
    "at_ms",
    String(monotonicMs()),
  );
}

async function waitForPermits(id: string): Promise<boolean> {
  const until = monotonicMs() + WAIT_MS;
  for (;;) {
    const taken = await redis.eval(TAKE_BOTH, 2, keys.permit("governor", id), keys.permit("p33", id));
    if (taken !== null) return true;
    if (monotonicMs() >= until) return false;
    await delay(STEP_MS);
  }
}
