/** The governor's disarm; the typed wrapper of `lua/permits/disarm.lua`. */
import { dumpPythonJson, type Keys, type PythonJson, TTL_SEC } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import { haltKeys } from "./keys.ts";

const run = bindScript("permits/disarm");

export interface Disarm {
  reason: string;
  context: Readonly<Record<string, PythonJson>>;
}

/**
 * Disarms the pipeline until an operator deletes both keys. Issue, consume and claim honour it. Safe to repeat.
 * @returns false if it was already disarmed
 */
export async function disarm(redis: RedisClient, keys: Keys, { reason, context }: Disarm): Promise<boolean> {
  const { disarm, disarm_today } = haltKeys(redis, keys);
  const [status] = await run(redis, {
    keys: { disarm, disarm_today, events: keys.streams.governorEvents },
    args: { reason, context_json: dumpPythonJson(context), today_sec: String(TTL_SEC.disarmOfDay) },
  });
  return status === "DISARMED";
}
