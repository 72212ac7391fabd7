/** A pipeline in which nothing happens, for seconds: what it asks Redis all the same. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "@quantum/harness";
import { startRig } from "@quantum/harness/rig";
import { expect, it, onTestFinished } from "vitest";

const SECONDS = 6;
const PROCESSES = 5;
/**
 * Each process reads Redis's clock once a second, and with a reading that was slow once more. The two that call the
 * exchange draw from its budget once a second, from three hashes each.
 */
const CALLS_A_SECOND = 3;
const BLOCKING_READS_MAX = 60;
const BLOCKING = new Set(["xreadgroup", "xread", "bzpopmin"]);
it("an idle pipeline calls nothing much besides its blocking reads, and reads no permit", async () => {
  const rig = await startRig();
  onTestFinished(() => rig.stop());
  await Promise.all(["apply-layer", "governor", "position-brain", "executor"].map((name) => rig.start(name)));
  // Last: the executor queries a plan that is older than its first start, for as long as an absence takes.
  await rig.start("harvest-feed", { FEED_MAX: "1" });
  await eventually(
    async () => ((await rig.client.xlen(rig.keys.streams.result)) > 0 ? true : undefined),
    10_000,
    "the one plan has ended",
  );
  // Every command with its keys, those inside scripts too; ioredis's own monitor loses its place now and then.
  const monitor = spawn(rig.redis.binary.cli ?? "redis-cli", ["-p", String(rig.redis.port), "MONITOR"]);
  const permitReads: string[] = [];
  let commands = 0;
  const lines = createInterface({ input: monitor.stdout });
  await once(lines, "line");
  lines.on("line", (line) => {
    commands += 1;
    // What remembers that permits were spent is none.
    if (/quantum:permit:(?!spent:)/.test(line)) permitReads.push(line);
  });
  await rig.client.config("RESETSTAT");
  await delay(SECONDS * 1_000);
  monitor.kill();
  await once(monitor, "exit");
  const stats = (await rig.client.info("commandstats")).matchAll(/cmdstat_([^:]+):calls=(\d+)/g);
  const calls = [...stats].map(([, command, count]) => ({ command, count: Number(count) }));
  const busy = calls.filter(
    ({ command = "", count }) => !BLOCKING.has(command) && count > CALLS_A_SECOND * SECONDS * PROCESSES,
  );
  expect(busy).toEqual([]);
  // Each consumer's read blocks for 5 s: a handful of consumers a process, re-armed twice.
  const reads = calls.filter(({ command = "" }) => BLOCKING.has(command));
  expect(reads.length).toBeGreaterThan(0);
  for (const { count } of reads) expect(count).toBeLessThanOrEqual(BLOCKING_READS_MAX);
  expect(commands).toBeGreaterThan(0);
  expect(permitReads).toEqual([]);
});
