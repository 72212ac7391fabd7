/**
 * Where proposals come from: the stream, and the hashes as a fallback. The same proposal gives the same plan id either
 * way, so whichever comes second is a duplicate.
 */
import { type Keys, parseProposal, planId, type Proposal } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { ACK, addedAtMs, type Disposition, type Entry } from "@quantum/streams";

const SYMBOL = /^[A-Z0-9_]{2,32}$/;

/** A stream entry as a proposal, or why it goes to the dead-letter stream. */
function proposalOf(entry: Entry): { proposal: Proposal } | { dead: string } {
  const symbol = entry.fields["symbol"] ?? "";
  if (!SYMBOL.test(symbol))
    return { dead: `symbol is ${JSON.stringify(symbol)}, must be an upper-case symbol` };
  const parsed = parseProposal(symbol, entry.fields);
  return parsed.ok ? { proposal: parsed.proposal } : { dead: parsed.problems.join("; ") };
}

/** @param publishedMs by Redis's clock; undefined where only the proposal itself tells its age */
export type Accept = (proposal: Proposal, publishedMs: number | undefined) => Promise<void>;

export function handleProposal(accept: Accept) {
  return async (entry: Entry): Promise<Disposition> => {
    const read = proposalOf(entry);
    if ("dead" in read) return { kind: "dead", reason: read.dead };
    await accept(read.proposal, addedAtMs(entry.id));
    return ACK;
  };
}

export interface HashPoll {
  redis: RedisClient;
  keys: Keys;
  symbols: readonly string[];
  /** The plan last accepted for each symbol, from the stream or by a poll. */
  lastPlan: ReadonlyMap<string, string>;
  accept: Accept;
  /** The hash does not hold a valid proposal; reported once for each content. */
  onBad: (symbol: string, problem: string) => void;
}

/**
 * @returns one poll: reads all hashes in one round trip. A proposal whose plan is still marked as taken is passed over
 * in silence; after the operators' reset the mark is gone and the plan may open afresh.
 */
export function createHashPoll(options: HashPoll): () => Promise<void> {
  const { redis, keys, symbols, lastPlan, accept, onBad } = options;
  const lastProblem = new Map<string, string>();
  return async () => {
    const pipeline = redis.pipeline();
    const known = new Map(lastPlan);
    for (const symbol of symbols) {
      pipeline.hgetall(keys.proposal(symbol));
      pipeline.exists(keys.dedupe(known.get(symbol) ?? ""));
    }
    const replies = (await pipeline.exec()) ?? [];
    const take = async (symbol: string, index: number) => {
      const [error, fields] = (replies[2 * index] ?? [null, {}]) as [Error | null, Record<string, string>];
      const isTaken = replies[2 * index + 1]?.[1] === 1;
      if (error === null && Object.keys(fields).length === 0) return;
      const parsed =
        error === null ? parseProposal(symbol, fields) : { ok: false as const, problems: [error.message] };
      if (!parsed.ok) {
        const problem = parsed.problems.join("; ");
        if (lastProblem.get(symbol) !== problem) onBad(symbol, problem);
        lastProblem.set(symbol, problem);
        return;
      }
      lastProblem.delete(symbol);
      if (isTaken && known.get(symbol) === planId(parsed.proposal)) return;
      await accept(parsed.proposal, undefined);
    };
    // One symbol that cannot be opened must not keep the others from it.
    const outcomes = await Promise.allSettled(symbols.map(take));
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  };
}
