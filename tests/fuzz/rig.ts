/** The pipeline under fuzz, and the books in which every input must be found again. */
import { waitReasons, ISSUERS, PLAN_REASONS } from "@quantum/contract";
import { fieldsOf } from "@quantum/streams";
import type { ServiceProcess } from "@quantum/harness";
import { unfinished } from "../groups.ts";
import { eventually } from "@quantum/harness";
import { ordersByPlan, startRig, SYMBOLS } from "@quantum/harness/rig";
import type { Field } from "./mutations.ts";

/** A handler that throws is repeated after 10 s: whoever is not done by then has met an input it cannot handle. */
const QUIET_MS = 9_000;
/**
 * How long P3.3 holds a plan whose deadline is far, or looks for the fills of a result that says it is recent; and how
 * long the executor queries an order that may have been sent.
 */
export const PATIENCE_MS = 75_000;

export interface Result {
  plan_id: string;
  attempt: string;
  outcome: string;
  executed_qty?: string;
}

/** What the streams say of a batch. */
export interface Books {
  /** By `group entry-id`: the reason. */
  dead: ReadonlyMap<string, string>;
  /** By plan id. */
  results: ReadonlyMap<string, Result[]>;
  /** `issuer attempt` of each permit decision. */
  answered: ReadonlySet<string>;
}

export type FuzzRig = Awaited<ReturnType<typeof startFuzzRig>>;

/**
 * @param env of each service to start, beyond the rig's own
 * @param allowlist the apply-layer's
 */
export async function startFuzzRig(
  env: Record<string, Record<string, string>>,
  allowlist: readonly string[] = SYMBOLS,
) {
  const rig = await startRig();
  const { client, keys } = rig;
  const services: ServiceProcess[] = [];
  const crashes: string[] = [];
  const add = async (name: string, own: Record<string, string>) => {
    const service = await rig.start(name, own);
    services.push(service);
    void service.exited.then(({ code, signal }) => crashes.push(`${name} ended with ${code ?? signal}`));
  };
  await Promise.all(Object.entries(env).map(([name, own]) => add(name, own)));

  const entriesOf = async (stream: string, from: string) =>
    ((await client.xrange(stream, from, "+")) as [string, string[]][]).map(([id, flat]) => ({
      id,
      fields: fieldsOf(flat),
    }));

  const dead = new Map<string, string>();
  const results = new Map<string, Result[]>();
  const answered = new Set<string>();
  const patience = new Map<string, number>();
  const lastRead = new Map<string, string>();
  const news = async (stream: string) => {
    const last = lastRead.get(stream);
    const entries = await entriesOf(stream, last === undefined ? "-" : `(${last}`);
    lastRead.set(stream, entries.at(-1)?.id ?? last ?? "0-0");
    return entries;
  };

  /** Damaged input names symbols that are nobody's, too. */
  const noneLeft = (index: string, keyOf: (symbol: string) => string, timeoutMs: number) =>
    eventually(
      async () => {
        const symbols = [...allowlist, ...(await client.smembers(index))];
        return (await client.exists(symbols.map(keyOf))) === 0 ? true : undefined;
      },
      timeoutMs,
      `no plan under ${keyOf("*")}`,
    );

  return {
    ...rig,
    services,
    add,

    /** Appends the entries. @returns ids and fields as readers see them, in order */
    async feed(stream: string, entries: readonly Field[][]) {
      const pipeline = client.pipeline();
      // An entry without fields is none.
      for (const fields of entries)
        pipeline.xadd(stream, "*", ...(fields.length > 0 ? fields.flat() : ["", ""]));
      const ids = ((await pipeline.exec()) ?? []).map(([error, id]) => {
        if (error !== null) throw error;
        return id as string;
      });
      const wanted = new Set(ids);
      return (await entriesOf(stream, ids[0] ?? "+")).filter(({ id }) => wanted.has(id));
    },

    /** P3.3 may leave these entries pending for so long. */
    patient(ids: readonly string[]): void {
      for (const id of ids) patience.set(id, Date.now() + PATIENCE_MS);
    },

    /** Waits until every group has read and acknowledged everything. */
    async quiet(): Promise<void> {
      let unread: string[] = [];
      const isQuiet = async () => {
        const found = await unfinished(client, keys.streams);
        unread = found
          .filter(({ entryId }) => Date.now() > (patience.get(entryId) ?? 0))
          .map(({ what }) => what);
        return unread.length === 0 ? true : undefined;
      };
      await eventually(isQuiet, QUIET_MS, "every group has acknowledged everything").catch(
        (error: unknown) => {
          throw new Error(`${(error as Error).message}: ${unread.slice(0, 5).join("; ")} ${crashes.join()}`);
        },
      );
    },

    /** Waits until these plans have a record. */
    opened: (planIds: readonly string[]) =>
      eventually(
        async () => {
          if (planIds.length === 0) return true;
          const records = await Promise.all(planIds.map((id) => client.exists(keys.plan(id))));
          return records.every((there) => there === 1) ? true : undefined;
        },
        QUIET_MS,
        "the plans have records",
      ),

    /** Waits until no plan waits for permits. */
    noneWaiting: () => noneLeft(keys.waitingSymbols, keys.waiting, QUIET_MS),

    /** Waits until no order is under way or in doubt. */
    settled: (timeoutMs = QUIET_MS) => noneLeft(keys.orderSymbols, keys.unsettled, timeoutMs),

    /** Waits until every plan has its verdict, and every order that came of it has ended. */
    async ended(): Promise<void> {
      await this.noneWaiting();
      await this.quiet();
      await this.settled(PATIENCE_MS);
    },

    async ready(): Promise<boolean> {
      const answers = await Promise.all(services.map(({ url }) => fetch(`${url}/readyz`)));
      return answers.every(({ ok }) => ok);
    },

    /** Everything since the start: a duplicate's result may be a batch old. */
    async books(): Promise<Books> {
      const { deadLetter, result, permit } = keys.streams;
      for (const { fields: f } of await news(deadLetter))
        dead.set(`${f["group"]} ${f["entry_id"]}`, f["reason"] ?? "");
      for (const { fields: f } of await news(permit)) answered.add(`${f["issuer"]} ${f["attempt"]}`);
      for (const { fields } of await news(result)) {
        const told = fields as unknown as Result;
        results.set(told.plan_id, [...(results.get(told.plan_id) ?? []), told]);
      }
      return { dead, results, answered };
    },

    /** These, and what is wrong whatever was fed: a crash, a second order for a plan, an order of permits not spent. */
    async troubles(found: readonly (string | undefined)[]): Promise<string[]> {
      const orders = [...ordersByPlan(await rig.simState())];
      const spent = await Promise.all(orders.map(([plan]) => client.get(keys.spent(plan))));
      const wrong = orders
        .filter(([, count], index) => count > 1 || spent[index]?.startsWith("OK ") !== true)
        .map(([plan, count]) => `${plan}: ${count} orders`);
      return [...found.filter((trouble) => trouble !== undefined), ...wrong, ...crashes];
    },

    /** Undefined if the plan's record tells its end and exactly one result says the same; else what is wrong. */
    async planTrouble(id: string, { results }: Books): Promise<string | undefined> {
      const record = await client.hgetall(keys.plan(id));
      const { state = "without a record", reason = "", attempt = "" } = record;
      const ends = (results.get(id) ?? []).filter((result) => result.attempt === attempt);
      if (ends.length !== 1 || ends[0]?.outcome !== state) {
        return `${id} is ${state} with ${ends.length} results (${ends[0]?.outcome})`;
      }
      const needsReason = state === "SKIP" || state === "BLOCKED" || state === "ERROR";
      return needsReason && !isReason(reason)
        ? `${id} is ${state} for no known reason: ${reason}`
        : undefined;
    },
  };
}

const REASONS = new Set([...Object.values(PLAN_REASONS).flat(), ...waitReasons(ISSUERS)]);

function isReason(reason: string): boolean {
  return REASONS.has(reason) || reason.startsWith("unknown_action_");
}
