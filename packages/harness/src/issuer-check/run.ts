/** Runs an issuer through the cases, on a Redis of its own. */
import { Bench } from "./bench.ts";
import { CASES } from "./cases.ts";
import type { Case } from "./steps.ts";
import type { SubjectOptions } from "./subject.ts";

export interface Checked extends Pick<Case, "name" | "breaks" | "read"> {
  /** Empty: passed. */
  flaws: string[];
}

export interface IssuerCheck extends SubjectOptions {
  /** Names of cases; all by default. */
  only?: readonly string[];
  onCase?: (checked: Checked) => void;
}

/** Their names. @param partitions as in PARTITIONS */
export function issuerCases(partitions: number): string[] {
  return CASES.filter(({ ofPartitions }) => partitions > 1 || ofPartitions !== true).map(({ name }) => name);
}

/** @returns every case that was run, and the issuer's last lines of output */
export async function checkIssuer({
  only,
  onCase,
  ...options
}: IssuerCheck): Promise<{ cases: Checked[]; output: string }> {
  const names = only ?? issuerCases(options.partitions ?? 1);
  const bench = await Bench.open(options);
  const cases: Checked[] = [];
  try {
    for (const { name, breaks, read, run } of CASES) {
      if (!names.includes(name)) continue;
      const flaws = await run(bench).catch((error: unknown) => [
        error instanceof Error ? error.message : String(error),
      ]);
      const checked = { name, breaks, read, flaws: [...new Set(flaws)] };
      cases.push(checked);
      onCase?.(checked);
    }
    return { cases, output: bench.subject.lastLines };
  } finally {
    await bench.close();
  }
}
