import { startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { connectForCommands, disconnect, type RedisClient } from "./connection.ts";
import { bindScript } from "./script.ts";

const WAIT_MS = 10_000;
const STREAM = "plans";
const GROUP = "governor";
const moveToDeadLetter = bindScript("streams/dead_letter");

let server: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  server = await startRedisServer({ appendonly: true, appendfsync: "always" });
  client = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(client);
  await server.stop();
});
beforeEach(async () => {
  await client.flushall();
  await client.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM");
});

const call = (entry_id = "1-1") => ({
  keys: { stream: STREAM, dead: "dead" },
  args: { group: GROUP, entry_id, reason: "no symbol", deliveries: "1" },
  restArgs: [],
});

async function givenPendingEntry(): Promise<string> {
  const id = await client.xadd(STREAM, "*", "a", "1");
  await client.xreadgroup("GROUP", GROUP, "me", "STREAMS", STREAM, ">");
  return id ?? "";
}

it("refuses to bind a script that does not exist", () => {
  expect(() => bindScript("streams/no_such" as "streams/dead_letter")).toThrow("no_such.lua");
});

describe("a bound script", () => {
  it("answers flat text, the status word first", async () => {
    const id = await givenPendingEntry();
    const [status, deadId] = await moveToDeadLetter(client, { ...call(id), restArgs: ["a", "1"] });
    expect([status, deadId]).toEqual(["MOVED", expect.stringMatching(/^\d+-\d+$/)]);
    expect(await moveToDeadLetter(client, call(id))).toEqual(["REPLAYED"]);
  });

  it("passes the values by name, not in the order they are written in", async () => {
    const id = await givenPendingEntry();
    await moveToDeadLetter(client, {
      args: { deliveries: "7", reason: "why", entry_id: id, group: GROUP },
      keys: { dead: "dead", stream: STREAM },
      restArgs: [],
    });
    const [[, flat] = ["", []]] = await client.xrange("dead", "-", "+");
    expect(flat).toEqual(expect.arrayContaining(["deliveries", "7", "reason", "why", "entry_id", id]));
  });

  it("refuses a call that lacks a value, before anything is read or written", async () => {
    const { args, keys } = call(await givenPendingEntry());
    const { deliveries: _, ...fewer } = args;
    // @ts-expect-error a name of the header is missing
    await expect(moveToDeadLetter(client, { keys, args: fewer, restArgs: [] })).rejects.toThrow(
      "ARITY streams/dead_letter ARGV wants 4, got 3",
    );
    // @ts-expect-error its KEYS have no rest
    await expect(moveToDeadLetter(client, { keys, args, restKeys: ["third"], restArgs: [] })).rejects.toThrow(
      "ARITY streams/dead_letter KEYS wants 2, got 3",
    );
    expect(await client.exists("dead")).toBe(0);
  });

  it("recovers from SCRIPT FLUSH, for many callers at once too, and is known again after it", async () => {
    await client.script("FLUSH");
    const replies = await Promise.all(Array.from({ length: 20 }, () => moveToDeadLetter(client, call())));
    expect(replies).toEqual(Array.from({ length: 20 }, () => ["REPLAYED"]));
    // A lone call is another script to Redis than one that travels with others.
    expect(await moveToDeadLetter(client, call())).toEqual(["REPLAYED"]);
    await client.config("RESETSTAT");
    await moveToDeadLetter(client, call());
    await Promise.all([moveToDeadLetter(client, call()), moveToDeadLetter(client, call())]);
    expect(await client.info("commandstats")).not.toContain("cmdstat_eval:");
  });

  it("travels with the others of its turn, and answers or fails for itself", async () => {
    const ids = [await givenPendingEntry(), await givenPendingEntry(), await givenPendingEntry()];
    await client.set("no stream", "");
    await client.config("RESETSTAT");
    const calls = ids.map(call);
    calls.splice(1, 0, { ...call(), keys: { stream: "no stream", dead: "dead" } });
    // Whoever calls after an await of its own is of the same turn still.
    const outcomes = await Promise.allSettled(
      calls.map(async (each, index) => {
        if (index > 1) await Promise.resolve();
        return (await moveToDeadLetter(client, each))[0];
      }),
    );
    const moved = { status: "fulfilled", value: "MOVED" };
    expect(outcomes).toEqual([moved, expect.objectContaining({ status: "rejected" }), moved, moved]);
    expect(await client.info("commandstats")).toMatch(/cmdstat_evalsha:calls=1,/);
  });

  it("is one of 64 at most", async () => {
    await client.config("RESETSTAT");
    await Promise.all(Array.from({ length: 65 }, () => moveToDeadLetter(client, call())));
    expect(await client.info("commandstats")).toMatch(/cmdstat_evalsha:calls=2,/);
  });

  it("recovers from a restart of the server", async () => {
    await moveToDeadLetter(client, call());
    await server.kill();
    await server.restart();
    await vi.waitFor(
      async () => expect(await moveToDeadLetter(client, call())).toEqual(["REPLAYED"]),
      WAIT_MS,
    );
  });

  it("passes on an error of the script", async () => {
    await client.set(STREAM, "not a stream");
    await expect(moveToDeadLetter(client, call())).rejects.toThrow("WRONGTYPE");
  });
});
