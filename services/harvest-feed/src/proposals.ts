import type { FeedSnapshot } from "./snapshot.ts";

/** Marks proposals as simulated, so that they are never traded at a real venue. */
export const SOURCE = "harvest-feed simulated";

/** A proposal as it is published. */
export interface FeedProposal {
  symbol: string;
  action: string;
  planId: string;
  /** The fields of the proposal hash, all text, without the symbol. */
  fields: Readonly<Record<string, string>>;
  /** An earlier proposal created the same plan, so this one gets no result. */
  repeats?: true;
}

/** A source of proposals: generated, or from a file. */
export interface ProposalSource {
  readonly symbols: readonly string[];
  /** Whether the symbol has another proposal. */
  hasNext(symbol: string): boolean;
  /** The symbol's next proposal; undefined if this snapshot allows none. */
  next(symbol: string, snapshot: FeedSnapshot): FeedProposal | undefined;
}
