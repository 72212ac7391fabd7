/**
 * Reads proposals from the stream, and from the hashes as a fallback. A proposal gets the same plan id either way, so
 * the second one is a duplicate.
 */
import { type Keys, parseProposal, planId, type Proposal, SYMBOL, SYMBOL_RULE } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { ACK, addedAtMs, type Disposition, type Entry } from "@quantum/streams";

/** The proposal in a stream entry, or why the entry becomes a dead letter. */
function proposalOf(entry: Entry): { proposal: Proposal } | { dead: string } {
  const symbol = entry.fields["symbol"] ?? "";
  if (!SYMBOL.test(symbol)) return { dead: `symbol is ${JSON.stringify(symbol)}, must be ${SYMBOL_RULE}` };
  const parsed = parseProposal(symbol, entry.fields);
  return parsed.ok ? { proposal: parsed.proposal } : { dead: parsed.problems.join("; ") };
}

/** @param publishedMs by Redis's clock; undefined if only the proposal itself has a time */
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
  /** The last accepted plan of each symbol, from the stream or a poll. */
  lastPlan: ReadonlyMap<string, string>;
  accept: Accept;
  /** Called when a hash does not hold a valid proposal; once for each content. */
  onBad: (symbol: string, problem: string) => void;
}

/**
 * @returns a function that polls all hashes in one round trip. It silently skips a proposal whose plan is still marked
 * as a duplicate. The operators' reset removes the mark, and the plan may open again.
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
    // A symbol that fails must not block the others.
    const outcomes = await Promise.allSettled(symbols.map(take));
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  };
}
