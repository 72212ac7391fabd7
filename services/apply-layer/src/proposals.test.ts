import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseProposal, planId, type Proposal } from "@quantum/contract";
import { FIELDS, keys, PLAN, proposalFrom, startScriptRig, SYMBOL } from "./script-rig.fixture.ts";
import { hashesOn } from "@quantum/redis";
import { Partitions } from "@quantum/service-kit";
import { Outage } from "./outage.ts";
import { type Accept, createHashPoll, handleProposal } from "./proposals.ts";

let rig: Awaited<ReturnType<typeof startScriptRig>>;
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

/** The wire's layout, in which every proposal goes to `accept`. */
function onePart(accept: Accept, lastPlan: ReadonlyMap<string, string> = new Map<string, string>()) {
  const { redis } = rig;
  const part = { number: 0, name: "", keys, redis, connectForBlocking: () => redis };
  return new Partitions([{ ...part, accept, lastPlan, outage: new Outage("") }]);
}

describe("a proposal from the stream", () => {
  const accepted: Proposal[] = [];
  const accepting = () => handleProposal(onePart(async (proposal) => void accepted.push(proposal)));
  const entry = (fields: Record<string, string>) => ({ id: "1-0", fields, deliveries: 1 });
  beforeEach(() => void accepted.splice(0));

  it("is accepted, then acknowledged", async () => {
    expect(await accepting()(entry({ symbol: SYMBOL, ...FIELDS }))).toEqual({ kind: "ack" });
    expect(accepted.map(planId)).toEqual([PLAN]);
  });

  it("is as old as its entry, by Redis's clock", async () => {
    const published: unknown[] = [];
    const handle = handleProposal(onePart(async (_, publishedMs) => void published.push(publishedMs)));
    await handle({ ...entry({ symbol: SYMBOL, ...FIELDS }), id: "1769301008977-3" });
    expect(published).toEqual([1_769_301_008_977]);
  });

  it.each([
    ["no symbol", FIELDS, 'symbol is ""'],
    ["a symbol with a blank", { symbol: "BTC USDT", ...FIELDS }, 'symbol is "BTC USDT"'],
    ["a symbol with a colon", { symbol: "BTC:USDT", ...FIELDS }, "symbol is"],
    [
      "nothing else",
      { symbol: SYMBOL },
      "harvest_action is missing or empty: it is required; kill_score is missing",
    ],
    ["an unreadable kill score", { symbol: SYMBOL, ...FIELDS, kill_score: "high" }, 'kill_score is "high"'],
    [
      "an unreadable stop loss",
      { symbol: SYMBOL, ...FIELDS, new_sl_proposed: "1,5" },
      'new_sl_proposed is "1,5"',
    ],
  ])("with %s is dead, and says why", async (_, fields, reason) => {
    const disposition = await accepting()(entry(fields));
    expect(disposition).toMatchObject({ kind: "dead", reason: expect.stringContaining(reason) as string });
    expect(accepted).toEqual([]);
  });

  it("is left pending when it could not be accepted", async () => {
    const failing = handleProposal(
      onePart(async () => {
        throw new Error("WRONGTYPE");
      }),
    );
    await expect(failing(entry({ symbol: SYMBOL, ...FIELDS }))).rejects.toThrow("WRONGTYPE");
  });
});

describe("the hash poll", () => {
  let opened: string[];
  let bad: string[];
  let accept: (proposal: Proposal) => Promise<void>;
  let poll: () => Promise<void>;

  beforeEach(() => {
    opened = [];
    bad = [];
    const open = rig.opener();
    const lastPlan = new Map<string, string>();
    accept = async (proposal) => {
      const { kind, planId } = await open(proposal, { decision: "SKIP", reason: "action_hold" });
      opened.push(`${kind} ${planId}`);
      lastPlan.set(proposal.symbol, planId);
    };
    poll = createHashPoll({
      hashes: hashesOn(rig.redis),
      parts: onePart((proposal) => accept(proposal), lastPlan),
      symbols: [SYMBOL, "ETHUSDT"],
      onBad: (symbol, problem) => bad.push(`${symbol}: ${problem}`),
    });
  });
  const publish = (fields: Record<string, string> = FIELDS, symbol = SYMBOL) =>
    rig.redis.hset(keys.proposal(symbol), fields);

  it("passes over in silence what came by the stream", async () => {
    await publish();
    const parsed = parseProposal(SYMBOL, FIELDS);
    if (parsed.ok) await accept(parsed.proposal);
    await poll();
    expect(opened).toHaveLength(1);
  });

  it("opens what is published under the plan id of the stream, and passes over it from then on", async () => {
    await poll();
    await publish();
    await poll();
    await poll();
    expect(opened).toEqual([`ended ${PLAN}`]);
    expect(bad).toEqual([]);
  });

  it("opens the next proposal of the symbol", async () => {
    await publish();
    await poll();
    const next = { ...FIELDS, kill_score: "0.6" };
    await publish(next);
    await poll();
    await poll();
    expect(opened).toEqual([`ended ${PLAN}`, `ended ${planId(proposalFrom(next))}`]);
  });

  it("opens the plan afresh after the operators' reset", async () => {
    await publish();
    await poll();
    await rig.operatorsReset();
    await poll();
    await poll();
    expect(opened).toEqual([`ended ${PLAN}`, `ended ${PLAN}`]);
  });

  it("says once what is wrong with a hash, and again when it has been well in between", async () => {
    await publish({ ...FIELDS, kill_score: "high" });
    await poll();
    await poll();
    expect(bad).toEqual([expect.stringContaining('BTCUSDT: kill_score is "high"')]);
    await publish();
    await poll();
    await publish({ kill_score: "high" });
    await poll();
    expect(bad).toHaveLength(2);
    expect(opened).toHaveLength(1);
  });

  it("says that a key is no hash, and polls the others all the same", async () => {
    await rig.redis.set(keys.proposal(SYMBOL), "text");
    await publish(FIELDS, "ETHUSDT");
    await poll();
    expect(bad).toEqual([expect.stringContaining("BTCUSDT: WRONGTYPE")]);
    expect(opened).toHaveLength(1);
  });

  it("tries a proposal again that could not be opened, and opens the others meanwhile", async () => {
    await publish();
    await publish(FIELDS, "ETHUSDT");
    await rig.redis.set(keys.plan(PLAN), "not what it should be");
    await expect(poll()).rejects.toThrow("WRONGTYPE");
    expect(opened).toHaveLength(1);
    await rig.redis.del(keys.plan(PLAN));
    await poll();
    expect(opened).toEqual([`ended ${planId(proposalFrom(FIELDS, "ETHUSDT"))}`, `ended ${PLAN}`]);
  });
});
