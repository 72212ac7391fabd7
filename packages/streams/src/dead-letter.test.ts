import { disconnect, connectForCommands } from "@quantum/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Rig, GROUP, keys, startRig, STREAM } from "./rig.fixture.ts";
import { type DeadLetter, moveToDeadLetter } from "./dead-letter.ts";

let rig: Rig;
beforeAll(async () => void (rig = await startRig()));
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

async function givenPendingEntry(
  fields: Record<string, string> = { symbol: "BTCUSDT", plan_id: "67e6da21fa9fe506" },
): Promise<DeadLetter> {
  await rig.redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
  await rig.redis.xadd(STREAM, "*", ...Object.entries(fields).flat());
  const [id = ""] = await rig.givenPending("governor@a:8044", 1);
  return { stream: STREAM, group: GROUP, entry: { id, fields, deliveries: 5 }, reason: "no symbol" };
}
const move = (letter: DeadLetter) => moveToDeadLetter(rig.redis, keys, letter);
const raw = async () => (await rig.redis.xrange(keys.streams.deadLetter, "-", "+")).map(([, flat]) => flat);

describe("moving an entry to the dead letters", () => {
  it("appends it with its reason and acknowledges it", async () => {
    const letter = await givenPendingEntry();
    const before = Date.now();
    expect(await move(letter)).toBe(true);
    const [dead = {}] = await rig.deadLetters();
    const { dead_at_ms: deadAt, ...fields } = dead;
    expect(fields).toEqual({
      stream: STREAM,
      group: GROUP,
      entry_id: letter.entry.id,
      reason: "no symbol",
      deliveries: "5",
      "entry.symbol": "BTCUSDT",
      "entry.plan_id": "67e6da21fa9fe506",
    });
    expect(Number(deadAt)).toBeGreaterThanOrEqual(before);
    expect(Number(deadAt)).toBeLessThanOrEqual(Date.now());
    expect(await rig.pendingCount()).toBe(0);
    expect(await rig.redis.xlen(STREAM)).toBe(1);
  });

  it("replays: the second run changes nothing, after SCRIPT FLUSH too", async () => {
    const letter = await givenPendingEntry();
    await move(letter);
    const before = await raw();
    expect(await move(letter)).toBe(false);
    await rig.redis.script("FLUSH");
    expect(await move({ ...letter, reason: "another" })).toBe(false);
    expect(await raw()).toEqual(before);
  });

  it.each([
    ["one value", { symbol: "BTCUSDT", noise: "é".repeat(5 * 1024 * 1024) }],
    ["many", Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`f${n}`, "x".repeat(2_000)]))],
  ])(
    "keeps the beginning and the length of one of 10 MB in %s",
    async (_, fields: Record<string, string>) => {
      const letter = await givenPendingEntry(fields);
      expect(await move({ ...letter, reason: "r".repeat(1_000_000) })).toBe(true);
      const [dead = {}] = await rig.deadLetters();
      const json = JSON.stringify(fields);
      const beginning = dead["entry.json_beginning"] ?? "";
      expect(beginning.length).toBeGreaterThan(32_000);
      expect(json.startsWith(beginning)).toBe(true);
      expect(dead["entry.json_bytes"]).toBe(String(Buffer.byteLength(json)));
      expect(await rig.redis.memory("USAGE", keys.streams.deadLetter)).toBeLessThan(100 * 1024);
      expect(await rig.pendingCount()).toBe(0);
    },
  );

  it("keeps no more than some 64 MB of them, the newest", async () => {
    const letter = await givenPendingEntry();
    const large = "x".repeat(1024 * 1024);
    for (let n = 0; n < 80; n++)
      await rig.redis.xadd(keys.streams.deadLetter, "*", "n", String(n), "large", large);
    expect(await move(letter)).toBe(true);
    const letters = await rig.deadLetters();
    expect(letters.length).toBeGreaterThan(40);
    expect(letters.length).toBeLessThan(66);
    expect(letters.at(-1)).toMatchObject({ reason: "no symbol" });
  });

  it("keeps an entry whole that has more fields than a script can hand over", async () => {
    const fields = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`field_${n}`, String(n)]));
    const letter = await givenPendingEntry(fields);
    expect(await move(letter)).toBe(true);
    const [dead = {}] = await rig.deadLetters();
    expect(JSON.parse(dead["entry.json"] ?? "")).toEqual(fields);
    expect(await rig.pendingCount()).toBe(0);
  });

  it("runs after SCRIPT FLUSH", async () => {
    const letter = await givenPendingEntry();
    await rig.redis.script("FLUSH");
    expect(await move(letter)).toBe(true);
  });

  it("changes nothing for an entry that is not pending", async () => {
    const letter = await givenPendingEntry();
    await rig.redis.xack(STREAM, GROUP, letter.entry.id);
    expect(await move(letter)).toBe(false);
    expect(await move({ ...letter, entry: { ...letter.entry, id: "1-1" } })).toBe(false);
    expect(await rig.redis.exists(keys.streams.deadLetter)).toBe(0);
  });

  it("lets one of two callers at once have it", async () => {
    const letter = await givenPendingEntry();
    const other = connectForCommands({ url: rig.server.url, name: "other", onError: () => undefined });
    const moved = await Promise.all([move(letter), moveToDeadLetter(other, keys, letter), move(letter)]);
    await disconnect(other);
    expect(moved.filter(Boolean)).toHaveLength(1);
    expect(await raw()).toHaveLength(1);
  });

  it("refuses wrong types and a group that is not there, and changes nothing", async () => {
    const letter = await givenPendingEntry();
    await rig.redis.set(keys.streams.deadLetter, "not a stream");
    await expect(move(letter)).rejects.toThrow("WRONGTYPE");
    expect(await rig.pendingCount()).toBe(1);
    await rig.redis.del(keys.streams.deadLetter);
    await expect(move({ ...letter, group: "nobody" })).rejects.toThrow("NOGROUP");
    await rig.redis.set("text", "not a stream");
    await expect(move({ ...letter, stream: "text" })).rejects.toThrow("WRONGTYPE");
    expect(await rig.redis.exists(keys.streams.deadLetter)).toBe(0);
    expect(await rig.pendingCount()).toBe(1);
  });

  it("keeps the entry's fields apart from its own, whatever they are called", async () => {
    const letter = await givenPendingEntry({ reason: "as published", stream: "x" });
    await move(letter);
    expect((await rig.deadLetters())[0]).toMatchObject({
      reason: "no symbol",
      "entry.reason": "as published",
      stream: STREAM,
      "entry.stream": "x",
    });
  });

  it("moves an entry whose fields are gone", async () => {
    const letter = await givenPendingEntry();
    await rig.redis.xdel(STREAM, letter.entry.id);
    expect(await move({ ...letter, entry: { ...letter.entry, fields: {} } })).toBe(true);
    expect(await rig.pendingCount()).toBe(0);
  });

  it("keeps about the last 10,000", async () => {
    const letter = await givenPendingEntry();
    const pipeline = rig.redis.pipeline();
    for (let n = 0; n < 10_300; n++) pipeline.xadd(keys.streams.deadLetter, "*", "n", n);
    await pipeline.exec();
    await move(letter);
    const length = await rig.redis.xlen(keys.streams.deadLetter);
    expect(length).toBeGreaterThanOrEqual(10_000);
    // Redis trims whole nodes of 100 entries.
    expect(length).toBeLessThanOrEqual(10_100);
  });
});
