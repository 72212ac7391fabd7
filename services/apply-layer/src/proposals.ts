/**
 * Reads proposals from the stream, and from the hashes as a fallback. A proposal gets the same plan id either way, so
 * the second one is a duplicate.
 */
import { parseProposal, planId, type Proposal, SYMBOL, SYMBOL_RULE } from "@quantum/contract";
import { dispositionOf, type Hashes } from "@quantum/redis";
import type { Partition, Partitions } from "@quantum/service-kit";
import { addedAtMs, type Disposition, type Entry } from "@quantum/streams";
import type { Outage } from "./outage.ts";

/** The proposal in a stream entry, or why the entry becomes a dead letter. */
function proposalOf(entry: Entry): { proposal: Proposal } | { dead: string } {
  const symbol = entry.fields["symbol"] ?? "";
  if (!SYMBOL.test(symbol)) return { dead: `symbol is ${JSON.stringify(symbol)}, must be ${SYMBOL_RULE}` };
  const parsed = parseProposal(symbol, entry.fields);
  return parsed.ok ? { proposal: parsed.proposal } : { dead: parsed.problems.join("; ") };
}

/** @param publishedMs by Redis's clock; undefined if only the proposal itself has a time */
export type Accept = (proposal: Proposal, publishedMs: number | undefined) => Promise<void>;

/** A partition, and what a proposal needs of it. */
interface Opening extends Partition {
  accept: Accept;
  /** The last accepted plan of each symbol, from the stream or the hash. */
  lastPlan: ReadonlyMap<string, string>;
  outage: Outage;
}

/** The symbol's plans are opened in its partition, and the entry is acknowledged after that. */
export function handleProposal(parts: Partitions<Opening>) {
  return async (entry: Entry): Promise<Disposition> => {
    const read = proposalOf(entry);
    if ("dead" in read) return { kind: "dead", reason: read.dead };
    const { accept, outage } = parts.of(read.proposal.symbol);
    return outage.attempt(entry.id, () => accept(read.proposal, addedAtMs(entry.id)));
  };
}

export interface HashPoll {
  hashes: Pick<Hashes, "read">;
  parts: Partitions<Opening>;
  symbols: readonly string[];
  /** Called when a hash does not hold a valid proposal; once for each content. */
  onBad: (symbol: string, problem: string) => void;
}

/**
 * @returns a function that polls all hashes in one round trip. It silently skips a proposal whose plan is still marked
 * as a duplicate. The operators' reset removes the mark, and the plan may open again.
 */
export function createHashPoll({ hashes, parts, symbols, onBad }: HashPoll): () => Promise<void> {
  const lastProblem = new Map<string, string>();
  const take = async (symbol: string) => {
    const { redis, keys, lastPlan, accept } = parts.of(symbol);
    const known = lastPlan.get(symbol);
    const [read, marks] = await Promise.all([
      readProposal(hashes, keys.proposal(symbol), symbol),
      redis.exists(keys.dedupe(known ?? "")),
    ]);
    if (read === undefined) return;
    if (!read.ok) {
      const problem = read.problems.join("; ");
      if (lastProblem.get(symbol) !== problem) onBad(symbol, problem);
      lastProblem.set(symbol, problem);
      return;
    }
    lastProblem.delete(symbol);
    if (marks === 1 && known === planId(read.proposal)) return;
    await accept(read.proposal, undefined);
  };
  return async () => {
    // A symbol that fails must not block the others.
    const outcomes = await Promise.allSettled(symbols.map(take));
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  };
}

/** Undefined if there is none. A key of the wrong type is a problem of this symbol; silence is not. */
async function readProposal(hashes: Pick<Hashes, "read">, key: string, symbol: string) {
  try {
    const fields = await hashes.read(key);
    return Object.keys(fields).length === 0 ? undefined : parseProposal(symbol, fields);
  } catch (error) {
    if (dispositionOf(error).kind !== "command") throw error;
    return { ok: false as const, problems: [(error as Error).message] };
  }
}
