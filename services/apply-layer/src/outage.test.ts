import { ACK } from "@quantum/streams";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Outage } from "./outage.ts";

/** Longer than any pause between two tries. */
const SOME_TIME_MS = 1_000;
const timedOut = new Error("Command timed out");
const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

let outage: Outage;
let steps: string[];
beforeEach(() => {
  vi.useFakeTimers();
  outage = new Outage("q3");
  steps = [];
});
afterEach(() => {
  outage.stop();
  vi.useRealTimers();
});

const attempt = (id: string, error?: Error) =>
  outage.attempt(id, async () => {
    steps.push(id);
    if (error !== undefined) throw error;
  });

/** Ids of the entries that come again, in their order. */
function returning(...ids: string[]): Promise<string[]> {
  const back: string[] = [];
  return Promise.all(
    ids.map(async (id) => {
      const disposition = await attempt(id);
      if (disposition.kind === "retry") void disposition.again?.then(() => back.push(id));
    }),
  ).then(() => back);
}

describe("a proposal whose partition does not answer", () => {
  it.each([
    ["a command that is not answered", timedOut],
    ["a connection that is lost", new Error("Connection is closed.")],
    ["a server that loads its data", reply("LOADING Redis is loading the dataset in memory")],
    ["a cluster that is down", reply("CLUSTERDOWN The cluster is down")],
    ["too few replicas", reply("NOREPLICAS Not enough good replicas to write.")],
    ["full memory", reply("OOM command not allowed when used memory > 'maxmemory'. (lua/plans/open.lua)")],
  ])("stays pending without blame after %s, and says why", async (_, error) => {
    expect(await attempt("1-0", error)).toEqual({
      kind: "retry",
      reason: `partition q3: ${error.message}`,
      blameless: true,
      again: expect.any(Promise) as Promise<void>,
    });
  });

  it.each([
    ["a key of the wrong type", reply("WRONGTYPE Operation against a key")],
    ["a right that lacks", reply("NOPERM this user has no permissions")],
    ["a defect", new TypeError("x is not a function")],
  ])("is to blame itself for %s", async (_, error) => {
    await expect(attempt("1-0", error)).rejects.toBe(error);
    expect(await attempt("2-0")).toEqual(ACK);
  });

  it("keeps later ones from being tried, until one shows whether it answers", async () => {
    await attempt("1-0", timedOut);
    const back = await returning("2-0", "3-0");
    expect(steps).toEqual(["1-0"]);
    // The first, which nobody here waits for, is to try.
    await vi.advanceTimersByTimeAsync(SOME_TIME_MS);
    expect(back).toEqual([]);
    expect(await attempt("1-0", timedOut)).toMatchObject({ kind: "retry" });
    expect(await attempt("4-0")).toMatchObject({ kind: "retry" });
    expect(steps).toEqual(["1-0", "1-0"]);
    await vi.advanceTimersByTimeAsync(SOME_TIME_MS);
    expect(back).toEqual(["2-0"]);
    expect(await attempt("2-0")).toEqual(ACK);
    await vi.advanceTimersByTimeAsync(0);
    expect(back).toEqual(["2-0", "3-0"]);
    expect(await attempt("3-0")).toEqual(ACK);
  });

  it("brings all back when its partition answers, even in an error of the entry's own", async () => {
    await attempt("1-0", timedOut);
    const back = await returning("2-0", "3-0", "4-0");
    await vi.advanceTimersByTimeAsync(SOME_TIME_MS);
    await expect(attempt("1-0", reply("WRONGTYPE"))).rejects.toThrow("WRONGTYPE");
    await vi.advanceTimersByTimeAsync(0);
    expect(back).toEqual(["2-0", "3-0", "4-0"]);
  });

  it("lets another one try, if the one that was to try comes no more", async () => {
    await attempt("1-0", timedOut);
    await vi.advanceTimersByTimeAsync(SOME_TIME_MS);
    expect(await attempt("9-0")).toEqual(ACK);
  });

  it("is held once, however often it is reclaimed meanwhile", async () => {
    await attempt("1-0", timedOut);
    const [first, second] = [await attempt("2-0"), await attempt("2-0")];
    const back: string[] = [];
    for (const [name, disposition] of Object.entries({ first, second }))
      if (disposition.kind === "retry") void disposition.again?.then(() => back.push(name));
    await vi.advanceTimersByTimeAsync(SOME_TIME_MS);
    await attempt("1-0");
    await vi.advanceTimersByTimeAsync(0);
    expect(back).toEqual(["second"]);
  });
});

it("the wire's layout has one partition, which is Redis", async () => {
  expect(await new Outage("").attempt("1-0", () => Promise.reject(timedOut))).toMatchObject({
    reason: "Redis: Command timed out",
  });
});
