/**
 * Damaged entries and hashes, fed to the four services as real processes. Each input must be found again: as a dead
 * letter with its reason, as a plan that ended for a known reason, or ignored where the test says why that is right.
 */
import { executeEntry, parseProposal, planEntry, planId, resultEntry } from "@quantum/contract";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYMBOLS } from "@quantum/harness/rig";
import { endDoubt } from "@quantum/operator";
import { type FuzzRig, type Books, PATIENCE_MS, startFuzzRig } from "./rig.ts";
import { applyDamage, damage, type Damage } from "./mutations.ts";
import {
  execute,
  LONG_AGO_SEC,
  nextId,
  nextProposal,
  plan,
  POSITION_OF,
  result,
  symbolOf,
} from "./inputs.ts";
import { batchesOf, SEED, TIMEOUT_MS } from "./settings.ts";

/** Symbols of which nobody but the hash poll knows: as many hashes as can be damaged at once. */
const HASH_SYMBOLS = Array.from({ length: 250 }, (_, index) => `HASH${index}USDT`);
const POLLED_MS = 5_000;
/** The most of the results of a symbol that may tell of a recent execution: all others wait with them for the fills. */
const RECENT_OF = 100;
const NOT_PLACED = { outcome: "NOT_PLACED", quantity: "" } as const;
const MANDATE = { who: "fuzz", reason: "the entry names another symbol's position" };
/** Plans whose deadline is not farther are answered within the time in which everything is. */
const ANSWERED_MS = 5_000;

let fuzzRig: FuzzRig;
/** What became of inputs: a run that meets only one fate shows nothing. */
const fates = new Set<string>();
beforeAll(async () => {
  const known = [...SYMBOLS, ...HASH_SYMBOLS];
  const hashes = { SYMBOLS: HASH_SYMBOLS.join(","), APPLY_POLL_SEC: "0.1" };
  fuzzRig = await startFuzzRig(
    {
      "apply-layer": { ...hashes, APPLY_ALLOWLIST: known.join(","), APPLY_EXECUTE_TTL_MS: "1000" },
      // Forged results of failed orders would disarm everything, which is right and would end the test.
      governor: { GOV_ENABLE_AUTO_DISARM: "false" },
      "position-brain": {},
      // Entries without a signature, such as an earlier apply-layer writes.
      executor: { EXECUTOR_UNSIGNED_ISSUERS: "governor,p33" },
    },
    known,
  );
});
afterAll(() => fuzzRig.stop());

const indexedDamage = fc.record({ index: fc.nat(), damaged: damage });
const build = (make: (index: number) => Record<string, string>) =>
  indexedDamage.map(({ index, damaged }) => ({ index, damaged, make }));
const fieldsFrom = ({ index, damaged, make }: { index: number; damaged: Damage; make: typeof plan }) =>
  applyDamage(damaged, make(index));

/** Nobody but the consumer group may give an entry up, and not without a reason. */
function deadReason({ dead }: Books, group: string, id: string): string | undefined {
  const reason = dead.get(`${group} ${id}`);
  return reason === "" ? undefined : reason;
}

/** What the permits were spent for. */
const SPENT_QTY = 0.01;

describe(`damaged input (seed ${SEED})`, () => {
  it("accounts for every proposal of the stream", { timeout: TIMEOUT_MS }, async () => {
    const { keys } = fuzzRig;
    // Some would be blocked even if they were whole.
    const risky = { harvest_action: "ADD", kill_score: "0.9" };
    const propose = (index: number) => ({ ...nextProposal(symbolOf(index)), ...(index % 4 === 0 && risky) });
    for (const batch of batchesOf(build(propose))) {
      const fed = await fuzzRig.feed(keys.streams.proposal, batch.map(fieldsFrom));
      await fuzzRig.quiet();
      await fuzzRig.ended();
      const books = await fuzzRig.books();
      const account = async ({ id, fields }: (typeof fed)[0]) => {
        if (deadReason(books, "apply-layer", id) !== undefined) return void fates.add("proposal dead");
        const parsed = parseProposal(fields["symbol"] ?? "", fields);
        if (!parsed.ok) return `${id} is no proposal and no dead letter`;
        const plan = planId(parsed.proposal);
        fates.add(`proposal ${books.results.get(plan)?.[0]?.outcome}`);
        return fuzzRig.planTrouble(plan, books);
      };
      expect(await fuzzRig.troubles(await Promise.all(fed.map(account)))).toEqual([]);
    }
  });

  it(
    "accounts for every proposal hash: a plan, or one line that says what is wrong",
    { timeout: TIMEOUT_MS },
    async () => {
      const { client, keys } = fuzzRig;
      const applyLayer = fuzzRig.services.find(({ name }) => name === "apply-layer");
      for (const batch of batchesOf(build((index) => nextProposal(symbolOf(index))))) {
        await Promise.all(
          batch.map(async (input, index) => {
            const key = keys.proposal(HASH_SYMBOLS[index] ?? "");
            const fields = fieldsFrom(input);
            await client.del(key);
            // Now and then not even a hash.
            if (input.index % 20 === 0) await client.set(key, fields[0]?.[1] ?? "");
            else if (fields.length > 0) await client.hset(key, ...fields.flat());
          }),
        );
        const symbols = HASH_SYMBOLS.slice(0, batch.length);
        const logged = (symbol: string, words: string) =>
          applyLayer?.waitForLog(
            ({ msg, symbol: of, problem }) =>
              msg.endsWith("does not hold a valid proposal") &&
              of === symbol &&
              String(problem).startsWith(words),
            POLLED_MS,
          );
        const plans = await Promise.all(
          symbols.map(async (symbol) => {
            const key = keys.proposal(symbol);
            const type = await client.type(key);
            // Ignored: without a hash there is no proposal.
            if (type === "none") return undefined;
            if (type !== "hash") return void (await logged(symbol, "WRONGTYPE"));
            const parsed = parseProposal(symbol, await client.hgetall(key));
            fates.add(`hash ${parsed.ok ? "proposed" : "refused"}`);
            return parsed.ok
              ? planId(parsed.proposal)
              : void (await logged(symbol, parsed.problems.join("; ")));
          }),
        );
        const ids = plans.filter((id) => id !== undefined);
        await fuzzRig.opened(ids);
        await fuzzRig.ended();
        const books = await fuzzRig.books();
        expect(
          await fuzzRig.troubles(await Promise.all(ids.map((id) => fuzzRig.planTrouble(id, books)))),
        ).toEqual([]);
      }
    },
  );

  it("answers every plan by both issuers, or gives it up", { timeout: TIMEOUT_MS }, async () => {
    const { keys } = fuzzRig;
    for (const batch of batchesOf(build(plan))) {
      const fed = await fuzzRig.feed(keys.streams.plan, batch.map(fieldsFrom));
      const parsed = new Map(fed.map(({ id, fields }) => [id, planEntry.safeParse(fields)]));
      // P3.3 answers a plan whose quantity is reserved to others at the plan's own deadline.
      const farMs = Date.now() + ANSWERED_MS;
      const far = fed.map(({ id }) => id).filter((id) => (parsed.get(id)?.data?.deadline_ms ?? 0) > farMs);
      fuzzRig.patient(far);
      await fuzzRig.quiet();
      const books = await fuzzRig.books();
      const troubles = fed.flatMap((entry) =>
        ["governor", "p33"].map((issuer) => {
          const { id } = entry;
          const { success = false, data } = parsed.get(id) ?? {};
          if (!success) {
            return deadReason(books, issuer, id) === undefined
              ? `${id}: not given up by ${issuer}`
              : undefined;
          }
          const answered = books.answered.has(`${issuer} ${id}`);
          // Ignored: what is not to execute needs no permit.
          if (data?.decision !== "EXECUTE") return answered ? `${id}: answered by ${issuer}` : undefined;
          // Ignored: a plan of ours whose record is gone can be consumed by nobody.
          if (Object.hasOwn(entry.fields, "attempt_no"))
            return answered ? `${id}: answered by ${issuer}` : undefined;
          if (answered) fates.add(`plan answered by ${issuer}`);
          return answered || far.includes(id) ? undefined : `${id}: not answered by ${issuer}`;
        }),
      );
      expect(await fuzzRig.troubles(troubles)).toEqual([]);
    }
  });

  it(
    "executes no plan whose permits were not spent, and ends every other",
    { timeout: TIMEOUT_MS },
    async () => {
      const { client, keys } = fuzzRig;
      const access = { redis: client, keys };
      for (const batch of batchesOf(build(execute))) {
        const entries = batch.map((input) => {
          const base = execute(input.index);
          return { base, spent: input.index % 3 !== 0, fields: applyDamage(input.damaged, base) };
        });
        const spending = entries.filter(({ spent }) => spent);
        await Promise.all(
          spending.map(({ base }) =>
            client.set(keys.spent(base["plan_id"] ?? ""), `OK ${base["attempt"]} ${Date.now()} ${SPENT_QTY}`),
          ),
        );
        const spentBy = new Map(spending.map(({ base }) => [base["plan_id"], base["attempt"]]));
        const fed = await fuzzRig.feed(
          keys.streams.execute,
          entries.map(({ fields }) => fields),
        );
        await fuzzRig.quiet();
        // One whose plan seems to be older than Redis is queried until its end, a minute away at most. Its entry names a
        // position of POSITION_OF: of another symbol's, only an operator can tell what has moved the position.
        const elsewhere = entries.filter(({ base }) => base["symbol"] !== POSITION_OF);
        await Promise.all(
          elsewhere.map(({ base }) => endDoubt(access, base["plan_id"] ?? "", NOT_PLACED, MANDATE)),
        );
        await fuzzRig.settled(PATIENCE_MS);
        const books = await fuzzRig.books();
        const account = ({ id, fields }: (typeof fed)[0]) => {
          const parsed = executeEntry.safeParse(fields);
          const isSpent = parsed.success && spentBy.get(parsed.data.plan_id) === parsed.data.attempt;
          // No plan of this executor's mode: it is not the entry that `spent` names, so it ends nothing.
          if (!isSpent || parsed.data.mode !== "paper")
            return deadReason(books, "executor", id) === undefined ? `${id}: not given up` : undefined;
          const results = books.results.get(parsed.data.plan_id) ?? [];
          fates.add(`order ${results[0]?.outcome}`);
          // More than the permits were spent for: refused as if they had not been.
          const isExcess = Number(parsed.data.safe_qty) > SPENT_QTY && results.length === 0;
          if (isExcess && deadReason(books, "executor", id)?.includes("permits_not_spent")) return undefined;
          return results.length === 1 ? undefined : `${id}: ${results.length} results`;
        };
        expect(await fuzzRig.troubles(fed.map(account))).toEqual([]);
      }
    },
  );

  it("settles every result in both groups, or gives it up", { timeout: TIMEOUT_MS }, async () => {
    const { keys } = fuzzRig;
    for (const batch of batchesOf(indexedDamage)) {
      const state = await fuzzRig.simState();
      const fed = await fuzzRig.feed(
        keys.streams.result,
        batch.map(({ index, damaged }) => {
          const fields = applyDamage(damaged, result(index, state));
          return index % RECENT_OF === 0
            ? fields
            : [...fields, ...applyDamage([], { timestamp: String(LONG_AGO_SEC) })];
        }),
      );
      const parsed = new Map(fed.map(({ id, fields }) => [id, resultEntry.safeParse(fields)]));
      // P3.3 waits half a minute for the fills of an execution that is told as recent.
      fuzzRig.patient(fed.map(({ id }) => id).filter((id) => parsed.get(id)?.data?.executed === true));
      await fuzzRig.quiet();
      const books = await fuzzRig.books();
      const troubles = fed.flatMap(({ id }) =>
        ["governor", "p33"].map((group) => {
          const isDead = deadReason(books, group, id) !== undefined;
          return isDead === (parsed.get(id)?.success === true)
            ? `${id}: dead in ${group}: ${isDead}`
            : undefined;
        }),
      );
      expect(await fuzzRig.troubles(troubles)).toEqual([]);
    }
  });

  it("passes over wake-ups that are none: they are hints", { timeout: TIMEOUT_MS }, async () => {
    const { keys } = fuzzRig;
    const wake = () => ({
      plan_id: nextId(),
      symbol: symbolOf(0),
      issuer: "p33",
      verdict: "granted",
      reason: "",
      issued_at_ms: String(Date.now()),
      attempt: `${Date.now()}-0`,
    });
    for (const batch of batchesOf(build(wake))) {
      await fuzzRig.feed(keys.streams.permit, batch.map(fieldsFrom));
      await fuzzRig.quiet();
      expect(await fuzzRig.troubles([])).toEqual([]);
    }
  });

  it("met what it was to meet, and left every service ready", async () => {
    const proposals = ["dead", "EXECUTED", "BLOCKED", "SKIP", "ERROR"].map((fate) => `proposal ${fate}`);
    const orders = ["EXECUTED", "REJECTED", "NOT_PLACED"].map((fate) => `order ${fate}`);
    const hashes = ["hash proposed", "hash refused"];
    const plans = ["plan answered by governor", "plan answered by p33"];
    expect([...fates]).toEqual(expect.arrayContaining([...proposals, ...orders, ...hashes, ...plans]));
    expect(await fuzzRig.ready()).toBe(true);
  });
});
