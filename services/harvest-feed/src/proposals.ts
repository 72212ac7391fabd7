import type { FeedSnapshot } from "./snapshot.ts";

/** Whoever acts on proposals must be able to tell these from real ones: a real venue is never traded on them. */
export const SOURCE = "harvest-feed simulated";

/** One proposal as it is published. */
export interface FeedProposal {
  symbol: string;
  action: string;
  planId: string;
  /** The proposal hash's fields, all text; without the symbol. */
  fields: Readonly<Record<string, string>>;
  /** An earlier proposal made the same plan, so no result of its own will come. */
  repeats?: true;
}

/** Where proposals come from: generated, or a file. */
export interface ProposalSource {
  readonly symbols: readonly string[];
  /** Whether the symbol will have another proposal. */
  hasNext(symbol: string): boolean;
  /** The symbol's next proposal; undefined if there is none to make from this snapshot. */
  next(symbol: string, snapshot: FeedSnapshot): FeedProposal | undefined;
}
