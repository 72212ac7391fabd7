/** Every script with the keys of one partition, on a Redis Cluster: whatever it touches lies in one slot (docs/wire.md, "Partitions"). */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  accessOf,
  commandLine,
  commandsOf,
  createKeys,
  exampleOf,
  type Keys,
  REDIS_USERS,
  renderUsers,
  slotOf,
} from "@quantum/contract";
import { type RedisCluster, startRedisCluster } from "@quantum/harness";
import { loadScript, packCalls, type Signatures } from "@quantum/lua";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PARTITIONS = 6;
/** Its slot and that of partition 4 belong to different masters. */
const PARTITION = 3;
const PLAN = "00000000000000aa";
const SYMBOL = "币安人生USDT";
const ISSUER = "p33";
const STARTED_WITHIN_MS = 60_000;

const LUA = join(import.meta.dirname, "../lua");
const SCRIPTS = globSync("**/*.lua", { cwd: LUA })
  .filter((file) => readFileSync(join(LUA, file), "utf8").includes("\n-- KEYS\n"))
  .map((file) => file.slice(0, -".lua".length))
  .toSorted();

type Names<Signature> =
  | (Signature extends { keys: infer Name extends string } ? Name : never)
  | (Signature extends { restKeys: infer Rest extends string } ? Rest : never);
type KeyName = Names<Signatures[keyof Signatures]>;

/** What each name in a script's header may stand for. A name without a row fails the type check. */
const KEYS: Readonly<Record<KeyName, (keys: Keys) => readonly string[]>> = {
  absent: ({ absent }) => [absent(SYMBOL)],
  absent_claims: ({ absentClaims }) => [absentClaims],
  audit: ({ streams }) => [streams.operatorAudit],
  booked: ({ booked }) => [booked(ISSUER, PLAN)],
  budget: ({ exchangeBudget }) => [exchangeBudget("weight_1m", "10.0.0.1")],
  charges: ({ reservations }) => [reservations(ISSUER, SYMBOL).charges],
  dead: ({ streams }) => [streams.deadLetter],
  dedupe: ({ dedupe }) => [dedupe(PLAN)],
  denial: ({ block, permit }) => [block("governor", PLAN), permit(ISSUER, PLAN)],
  disarm: ({ disarm }) => [disarm],
  disarm_today: ({ disarmOf }) => [disarmOf("2026-11-27")],
  events: ({ streams }) => [streams.governorEvents],
  executes: ({ streams }) => [streams.execute],
  executions: ({ reservations }) => [reservations(ISSUER, SYMBOL).executions],
  expiry: ({ reservations }) => [reservations(ISSUER, SYMBOL).expiry],
  handed_over: ({ handedOver }) => [handedOver],
  index: ({ waiting, unsettled, unknown, absent }) =>
    [waiting, unsettled, unknown, absent].map((index) => index(SYMBOL)),
  issuer: ({ permit, block }) => [permit(ISSUER, PLAN), block(ISSUER, PLAN)],
  kill_switch: ({ killSwitch }) => [killSwitch],
  kill_switch_seen: ({ killSwitchSeen }) => [killSwitchSeen],
  ledger: ({ ledger }) => [ledger(SYMBOL)],
  left: ({ permit, block }) => [permit(ISSUER, PLAN), block(ISSUER, PLAN)],
  open: ({ reservations }) => [reservations(ISSUER, SYMBOL).open],
  order: ({ order }) => [order(PLAN)],
  orders: ({ exchangePause }) => [exchangePause("orders")],
  owner: ({ orderOwner, booker }) => [orderOwner, booker],
  pause: ({ exchangePause }) => [exchangePause("requests"), exchangePause("orders")],
  permit: ({ permit }) => [permit("governor", PLAN), permit(ISSUER, PLAN)],
  permits: ({ streams }) => [streams.permit],
  plan: ({ plan }) => [plan(PLAN)],
  plans: ({ streams }) => [streams.plan],
  published: ({ published }) => [published(PLAN)],
  requests: ({ exchangePause }) => [exchangePause("requests")],
  results: ({ streams }) => [streams.result],
  snapshot: ({ snapshot }) => [snapshot(SYMBOL)],
  spent: ({ spent }) => [spent(PLAN)],
  // The wire's stream of proposals is the intake's, and in no partition.
  stream: ({ streams }) => Object.values(streams).filter((stream) => stream !== streams.proposal),
  symbols: ({ waitingSymbols, orderSymbols }) => [waitingSymbols, orderSymbols],
  totals: ({ reservations }) => [reservations(ISSUER, SYMBOL).totals],
  turn: ({ refreshTurn }) => [refreshTurn],
  unknown: ({ unknown }) => [unknown(SYMBOL)],
  unsettled: ({ unsettled }) => [unsettled(SYMBOL)],
  waiting: ({ waiting }) => [waiting(SYMBOL)],
  wanted: ({ closeWanted }) => [closeWanted(SYMBOL)],
};

const keys = createKeys({ partition: PARTITION });
const others = createKeys({ partition: PARTITION + 1 });

let cluster: RedisCluster;
let master: RedisClient;
beforeAll(async () => {
  cluster = await startRedisCluster();
  const port = await cluster.masterOf(slotOf(keys.killSwitch));
  master = connectForCommands({ url: `redis://127.0.0.1:${port}`, name: "tester", onError: () => undefined });
}, STARTED_WITHIN_MS);
afterAll(async () => {
  await disconnect(master);
  await cluster.stop();
});

/** Calls in which each name of the header stands for each of its keys at least once. */
function callsOf(name: string, of: Keys): { keys: string[]; args: string[] }[] {
  const script = loadScript(name);
  const choices = script.keys.map((key) => KEYS[key.replace("...", "") as KeyName](of));
  const most = Math.max(...choices.map(({ length }) => length));
  return Array.from({ length: most }, (_, call) => ({
    keys: choices.map((list) => list[call % list.length] ?? ""),
    // A number is a text as well, so most scripts get far with it.
    args: script.args.flatMap((arg) => (arg.startsWith("...") ? ["1", "1"] : "1")),
  }));
}

/** What a cluster answers when a call's keys lie in several slots, or elsewhere. */
const NOT_IN_ONE_SLOT = /CROSSSLOT|^MOVED |^ASK |non local key|undeclared/;

const answerOf = (reply: Promise<unknown>) =>
  reply.then(
    (answer) => JSON.stringify(answer),
    (error: Error) => error.message,
  );

describe.each(SCRIPTS)("lua/%s.lua", (name) => {
  const { lone, batch } = loadScript(name);

  it("keeps to one slot", async () => {
    const calls = callsOf(name, keys);
    expect(new Set(calls.flatMap((call) => call.keys.map(slotOf)))).toEqual(
      new Set([slotOf(keys.killSwitch)]),
    );
    for (const call of calls) {
      await master.flushall();
      const stream = call.keys[loadScript(name).keys.indexOf("stream")];
      if (stream !== undefined) await master.xgroup("CREATE", stream, "1", "0", "MKSTREAM");
      const answer = await answerOf(master.eval(lone.source, call.keys.length, ...call.keys, ...call.args));
      expect(answer).not.toMatch(NOT_IN_ONE_SLOT);
      expect(answer).not.toContain("ARITY");
    }
    const packed = packCalls(calls);
    const together = answerOf(master.eval(batch.source, packed.keys.length, ...packed.keys, ...packed.args));
    expect(await together).not.toMatch(NOT_IN_ONE_SLOT);
  });

  it("is refused with a key of another partition, and changes nothing", async () => {
    await master.flushall();
    const [mine] = callsOf(name, keys);
    const [theirs] = callsOf(name, others);
    if (mine === undefined || theirs === undefined) throw new Error("a script has keys");
    const mixed = packCalls([mine, theirs]);
    const answer = answerOf(master.eval(batch.source, mixed.keys.length, ...mixed.keys, ...mixed.args));
    expect(await answer).toContain("CROSSSLOT");
    expect(await master.dbsize()).toBe(0);
  });
});

it("computes slots as Redis does, also that of a tag that is a key's whole name", async () => {
  const { streams } = createKeys();
  const dead = `quantum:stream:{${streams.proposal}}:dead_letter`;
  expect(slotOf(dead)).toBe(slotOf(streams.proposal));
  const some = [
    keys.plan(PLAN),
    others.permit(ISSUER, PLAN),
    streams.proposal,
    dead,
    "a{}{b}",
    "a{{b}}",
    SYMBOL,
  ];
  for (const key of some) expect(await master.call("CLUSTER", "KEYSLOT", key)).toBe(slotOf(key));
});

describe("users with the rights of partitions", () => {
  beforeAll(async () => {
    const lines = renderUsers(() => "nopass", [], PARTITIONS)
      .split("\n")
      .filter(Boolean);
    for (const line of lines) {
      const [, user = "", ...rules] = line.split(" ");
      // The harness has given them the rights of the wire. A selector has spaces of its own.
      await master.acl("SETUSER", user, "reset", ...(rules.join(" ").match(/\([^)]*\)|\S+/g) ?? []));
    }
  });

  const dryRun = (user: string, line: readonly string[]) => master.call("ACL", "DRYRUN", user, ...line);

  it.each(REDIS_USERS)("may do as %s what the table says, on the tagged keys", async (user) => {
    for (const [right, patterns] of accessOf(user, PARTITIONS))
      for (const command of commandsOf(right))
        for (const pattern of patterns) {
          const key = exampleOf(pattern.replace("{q*}", `{q${PARTITION}}`));
          expect(await dryRun(user, commandLine(right, command, key)), `${command} ${key}`).toBe("OK");
        }
  });

  it("may not write the wire's order or plan, which no partition has", async () => {
    const wire = createKeys();
    for (const key of [wire.order(PLAN), wire.plan(PLAN), wire.spent(PLAN)])
      for (const user of REDIS_USERS.filter((name) => name !== "admin"))
        expect(await dryRun(user, ["hset", key, "f", "v"])).toContain("no permissions");
  });
});
