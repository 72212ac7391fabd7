import { flatFields } from "@quantum/contract";
import type { Intake } from "@quantum/service-kit";
import type { FeedProposal } from "./proposals.ts";

/** The length to which the Python services limited their streams. */
const STREAM_ENTRIES_MAX = 10_000;

/**
 * @param isOneSlot as in the wire's layout: hash and stream then change in one step, and always show the same proposal. Elsewhere the
 * hash is first
 * @returns what publishes a proposal, to its hash and to the stream. No field of an earlier one stays in the hash
 */
export function createPublish({ redis, keys, hashes }: Intake, isOneSlot: boolean) {
  return async ({ symbol, fields }: FeedProposal): Promise<void> => {
    const transaction = redis.multi();
    if (isOneSlot) transaction.del(keys.proposal(symbol)).hset(keys.proposal(symbol), fields);
    else await hashes.replace(keys.proposal(symbol), fields);
    const entry = ["*", "symbol", symbol, ...flatFields(fields)] as const;
    const replies = await transaction
      .xadd(keys.streams.proposal, "MAXLEN", "~", STREAM_ENTRIES_MAX, ...entry)
      .exec();
    for (const [error] of replies ?? []) if (error !== null) throw error;
  };
}
