/**
 * The wire's kill switch, shown to every partition. Its key lies in another slot than a partition's, so no script of a partition
 * can read it. Each partition has a mark instead, which its scripts believe for 5 s (`lua/shared/halted.lua`): while the kill
 * switch cannot be read, or nobody watches, everything halts. A kill switch is only read here, never written.
 */
import { createKeys } from "@quantum/contract";
import { askRedisTime, bindScript, disconnect, type RedisClient } from "@quantum/redis";
import { every, isKillSwitchOn, type Partition, type Partitions, type Progress } from "@quantum/service-kit";

const see = bindScript("halts/see_kill_switch");

const SEE_MS = 250;
const WIRE = createKeys().killSwitch;
/**
 * It could write, and so only a master runs it, one that reaches as many replicas as it is told to: a GET would also be answered
 * by one that has been replaced, with what it knew.
 */
const READ = "#!lua flags=allow-oom\nreturn redis.call('GET', KEYS[1])";

/** Resolves once each partition has its first mark, or cannot have it now. With one partition there is nothing to do. */
export async function watchKillSwitch(options: {
  partitions: Partitions;
  connectTo: (key: string, role: string) => RedisClient;
  progress: Progress;
  /** Once for each reason, until it works again. */
  onError: (doing: string, error: Error) => void;
}): Promise<{ stop: () => Promise<void> }> {
  const { partitions, connectTo, progress, onError } = options;
  if (partitions.all.length === 1) return { stop: async () => undefined };
  const wire = connectTo(WIRE, "kill-switch");
  const watches = partitions.map((partition) => {
    const doing = `show partition ${partition.name} the kill switch`;
    let problem: string | undefined;
    const watch = progress.loop(doing, SEE_MS, async () => {
      await show(wire, partition);
      problem = undefined;
    });
    const failed = (error: Error) => {
      if (problem !== error.message) onError(doing, error);
      problem = error.message;
    };
    return { watch, failed };
  });
  // A plan that was opened before would be blocked.
  await Promise.all(watches.map(({ watch, failed }) => watch().catch(failed)));
  const repeated = watches.map(({ watch, failed }) => every(SEE_MS, watch, failed));
  return {
    stop: async () => {
      await Promise.all(repeated.map((watch) => watch.stop()));
      await disconnect(wire);
    },
  };
}

async function show(wire: RedisClient, { keys, redis }: Partition): Promise<void> {
  // Before the read: so the mark's age is never less than what was read, whatever comes between.
  const askedMs = await askRedisTime(redis);
  const word = (await isOn(wire)) ? "halted" : "running";
  await see(redis, {
    keys: { kill_switch_seen: keys.killSwitchSeen },
    args: { word, asked_ms: String(askedMs) },
  });
}

async function isOn(wire: RedisClient): Promise<boolean> {
  try {
    return isKillSwitchOn((await wire.eval(READ, 1, WIRE)) as string | null);
  } catch (error) {
    // Not text: somebody has written it, and anything but "off" halts.
    if (error instanceof Error && error.message.includes("WRONGTYPE")) return true;
    throw error;
  }
}
