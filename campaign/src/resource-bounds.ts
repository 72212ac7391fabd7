/** Limits that must hold after the faults: I8, the size of streams, pending lists and memory. */
import { readFile } from "node:fs/promises";
import { groupsOf } from "@quantum/streams";
import type { Finding } from "@quantum/harness";
import type { System } from "./system.ts";

/** Streams are trimmed to 10,000 once a minute, and grow for up to a minute in between. */
const STREAM_ENTRIES_MAX = 25_000;
/** A plan's records, claims and marks live for hours: about 4 kB per plan, plus an empty pipeline's memory. */
const REDIS_BYTES = { base: 64 * 2 ** 20, plan: 10_000 } as const;
const PROCESS_BYTES_MAX = 512 * 2 ** 20;
const PAGE_BYTES = 4_096;

export async function checkResourceBounds(
  { stored, symbols, members }: System,
  plans: number,
): Promise<Finding> {
  const violations: string[] = [];
  let checked = 0;
  const expect = (holds: boolean, sentence: string) => {
    checked += 1;
    if (!holds) violations.push(sentence);
  };
  const streams = [
    { redis: stored.intake.redis, stream: stored.intake.keys.streams.proposal },
    ...stored.partitions.all.flatMap(({ redis, keys }) => {
      const { proposal: _, ...own } = keys.streams;
      return Object.values(own).map((stream) => ({ redis, stream }));
    }),
  ];
  for (const { redis: client, stream } of streams) {
    const length = await client.xlen(stream);
    expect(
      length <= STREAM_ENTRIES_MAX,
      `${stream} has ${length} entries, the limit is ${STREAM_ENTRIES_MAX}`,
    );
    if (length === 0 && (await client.exists(stream)) === 0) continue;
    for (const { name, pending } of await groupsOf(client, stream)) {
      expect(pending === 0, `group ${name} of ${stream} has ${pending} pending entries`);
    }
  }
  for (const symbol of symbols) {
    const { redis: client, keys } = stored.partitions.of(symbol);
    const waiting = await client.zcard(keys.waiting(symbol));
    const unsettled = await client.zcard(keys.unsettled(symbol));
    const unknown = await client.scard(keys.unknown(symbol));
    expect(waiting === 0, `${symbol}: ${waiting} plans still wait`);
    expect(unsettled === 0, `${symbol}: ${unsettled} orders are not settled`);
    expect(unknown === 0, `${symbol}: ${unknown} orders are in doubt`);
  }
  // In a cluster, of one of its masters.
  const { redis } = stored.partitions.account;
  const memory = Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
  const bound = REDIS_BYTES.base + plans * REDIS_BYTES.plan;
  expect(memory <= bound, `Redis holds ${memory} bytes, the limit for ${plans} plans is ${bound}`);
  for (const { name, process } of members) {
    const pages = await readFile(`/proc/${process.pid}/statm`, "utf8").catch(() => "");
    const bytes = Number(pages.split(" ")[1]) * PAGE_BYTES;
    // NaN: the process has exited.
    expect(bytes <= PROCESS_BYTES_MAX, `${name} holds ${bytes} bytes, the limit is ${PROCESS_BYTES_MAX}`);
  }
  return { checked, violations };
}
