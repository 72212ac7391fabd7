/** Publishes the proposals of a JSONL file, each line once and unchanged. */
import { readFile } from "node:fs/promises";
import { parseProposal, planId, resultEntry } from "@quantum/contract";
import { z } from "zod";
import { type FeedProposal, type ProposalSource, SOURCE } from "./proposals.ts";

const text = z.string({ error: ({ input }) => `${JSON.stringify(input)} is no text, as all values are` });
const line = z.record(z.string(), text).and(resultEntry.pick({ symbol: true }));

/** Fields that describe a recorded line; publishers do not write them. */
const NOT_PUBLISHED = new Set(["symbol", "expected_plan_id", "origin"]);

/** @throws an error that names the file and every bad line */
export async function readReplay(file: string): Promise<FeedProposal[]> {
  const name = `FEED_FILE=${file}`;
  const lines = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Error(`${name} cannot be read: ${(error as Error).message}`, { cause: error });
  });
  return parseReplay(lines, name);
}

/**
 * @param lines one JSON object per line, all values text; empty lines are skipped
 * @param name the file's name in errors
 * @throws an error that names every bad line
 */
export function parseReplay(lines: string, name: string): FeedProposal[] {
  const problems: string[] = [];
  const proposals = lines.split("\n").flatMap((json, index) => {
    if (json.trim() === "") return [];
    try {
      return [parseLine(json)];
    } catch (error) {
      problems.push(`line ${index + 1}: ${(error as Error).message}`);
      return [];
    }
  });
  if (problems.length > 0) throw new Error(`${name}: ${problems.join("\n  ")}`);
  if (proposals.length === 0) throw new Error(`${name}: there is no proposal in it`);
  const seen = new Set<string>();
  return proposals.map((proposal) => {
    if (seen.has(proposal.planId)) return { ...proposal, repeats: true as const };
    seen.add(proposal.planId);
    return proposal;
  });
}

/** The lines of one symbol keep their order; the symbols take turns. */
export function createReplay(proposals: readonly FeedProposal[]): ProposalSource {
  const queues = Map.groupBy(proposals, ({ symbol }) => symbol);
  return {
    symbols: [...queues.keys()],
    hasNext: (symbol) => (queues.get(symbol)?.length ?? 0) > 0,
    next: (symbol) => queues.get(symbol)?.shift(),
  };
}

function parseLine(json: string): FeedProposal {
  const parsed = line.safeParse(JSON.parse(json));
  if (!parsed.success)
    throw new Error(
      parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    );
  const { symbol } = parsed.data;
  const published = Object.entries(parsed.data).filter(([name]) => !NOT_PUBLISHED.has(name));
  const fields = { ...Object.fromEntries(published), source: SOURCE };
  const read = parseProposal(symbol, fields);
  if (!read.ok) throw new Error(read.problems.join("; "));
  return { symbol, action: read.proposal.harvestAction, planId: planId(read.proposal), fields };
}
