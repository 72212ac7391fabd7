/** What operators type, as the pipeline spells it. */
import { InvalidArgumentError } from "commander";
import { OUTCOMES, PARTITIONS_MAX } from "@quantum/contract";
import type { Since } from "./watch.ts";

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As the exchange spells it, however it was typed. */
export function symbol(text: string): string {
  return text.toUpperCase();
}

export function outcome(text: string): string {
  const named = OUTCOMES.find((candidate) => candidate === text.toUpperCase());
  if (named === undefined) throw new InvalidArgumentError(`Allowed choices are ${OUTCOMES.join(", ")}.`);
  return named;
}

export function verdict(text: string): "ok" | "block" {
  const named = (["ok", "block"] as const).find((candidate) => candidate === text.toLowerCase());
  if (named === undefined) throw new InvalidArgumentError("Allowed choices are ok, block.");
  return named;
}

export function planId(text: string): string {
  return text.toLowerCase();
}

/** One more of several, for commander. */
export function planIds(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[\da-f]{16}$/i.test(text)) throw new InvalidArgumentError("must be 16 hex digits.");
  return [...before, planId(text)];
}

/** `15m`, or a time in ISO 8601. */
export function since(text: string): Since {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/i.exec(text) ?? [];
  if (count !== undefined) return { ageMs: Number(count) * (UNITS_MS[unit.toLowerCase()] ?? 0) };
  const atMs = Date.parse(text);
  // Anything else is a date to some engine: "5" is a month.
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(atMs))
    throw new InvalidArgumentError(
      "must be an age such as 90s, 15m, 2h or 1d, or a time such as 2026-11-27T05:00Z",
    );
  return { atMs };
}

export function partitionCount(text: string): number {
  const count = positive(text);
  if (count > PARTITIONS_MAX) throw new InvalidArgumentError(`must be from 1 to ${PARTITIONS_MAX}`);
  return count;
}

export function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("must be a whole number from 1");
  return Number(text);
}
