/** The typed wrapper of `lua/streams/remove_consumers.lua`. */
import { bindScript, type RedisClient } from "@quantum/redis";

const run = bindScript("streams/remove_consumers");

/**
 * Removes the group's consumers that have been idle for `idleMs` and have nothing pending, except `keep`.
 * @returns their names
 */
export async function removeIdleConsumers(
  redis: RedisClient,
  { stream, group, keep, idleMs }: { stream: string; group: string; keep: string; idleMs: number },
): Promise<string[]> {
  const [, ...names] = await run(redis, { keys: { stream }, args: { group, keep, idle_ms: String(idleMs) } });
  return names;
}
