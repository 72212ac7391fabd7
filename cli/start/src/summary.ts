/** A run's figures: as text for the terminal, and as JSON for `--summary`. */
import { Big } from "big.js";
import { type Evidence, type Findings, type InvariantName, INVARIANTS } from "@quantum/harness";

type Counts = Record<string, number>;

export interface Summary {
  /** Attempts that reached a verdict: ok + blocked + skipped + errors. */
  plans: number;
  /** Plans whose permits were spent, whatever happened to the order. */
  ok: number;
  blocked: Counts;
  /** The denying issuers' own reasons. */
  blocked_detail: Counts;
  skipped: Counts;
  errors: Counts;
  /** Proposals whose plan id had already been proposed. */
  duplicates: number;
  executed: number;
  /** Plans whose permits were spent without an executed order, by reason. */
  not_executed: Counts;
  in_doubt: number;
  /** NOT_PLACED results whose order was found later. */
  corrections: number;
  /** From publication to verdict, in ms; null if no plan has waited. */
  wait_ms: {
    min: number | null;
    p50: number | null;
    p95: number | null;
    p99: number | null;
    max: number | null;
  };
  /** Our orders at the exchange. */
  orders: number;
  /** Plans with more than one order. */
  doubled: number;
  /** Plans that were proposed or published and did not end, although the run was not cut short. */
  lost: number;
  /** The same, if the run was cut short: their outcome is unknown. */
  unfinished: number;
  /** Why the run ended before everything had come to rest. */
  cut_short?: string;
  /** Services that exited unexpectedly and were restarted. */
  restarts: Counts;
  /** Also false if a run that must have orders had nothing to check. */
  invariants: Record<InvariantName, boolean>;
  checked: Record<InvariantName, number>;
  scenario: string;
  seed: number;
  /** For a replayed file. */
  replayed?: Replayed;
}

interface Replayed {
  lines: number;
  plan_ids_as_expected: number;
  /** One sentence each. */
  plan_ids_unexpected: string[];
}

export interface RunFrame {
  scenario: string;
  seed: number;
  ordersExpected: boolean;
  /** Entries of the proposal stream. */
  proposals: number;
  /** Why the run ended before everything had come to rest; undefined if it did come to rest. */
  cutShort: string | undefined;
  restarts: Counts;
  /** `expected_plan_id` of each replayed line; undefined for a line without one. */
  expectedPlanIds: readonly (string | undefined)[] | undefined;
}

export function summarize(evidence: Evidence, findings: Findings, frame: RunFrame): Summary {
  const { executes, results, plans, proposedPlanIds, orders } = evidence;
  const spent = new Set([
    ...executes.map((execute) => execute.attempt),
    ...results.filter(({ outcome }) => outcome === "DRY_RUN").map((result) => result.attempt),
  ]);
  const ended = new Set(results.map((result) => result.attempt));
  const refused = results.filter((result) => !spent.has(result.attempt));
  const corrected = new Set(results.flatMap(({ corrects }) => corrects ?? []));
  const of = (outcome: string) => refused.filter((result) => result.outcome === outcome);
  const blocked = countBy(of("BLOCKED").map((result) => result.reason));
  const skipped = countBy(of("SKIP").map((result) => result.reason));
  const errors = countBy(of("ERROR").map((result) => result.reason));

  const ordersOfPlan = Map.groupBy(
    orders.filter((order) => order.origin === "api"),
    // The client order id without the attempt number.
    (order) => order.clientOrderId.replace(/-\d+$/, ""),
  );
  const published = new Set(plans.map((plan) => plan.planId));
  const open =
    plans.filter(({ attempt }) => !ended.has(attempt)).length +
    [...proposedPlanIds].filter((planId) => !published.has(planId)).length;
  return {
    plans: spent.size + total(blocked) + total(skipped) + total(errors),
    ok: spent.size,
    blocked,
    blocked_detail: countBy(of("BLOCKED").flatMap(({ detail }) => (detail === "" ? [] : [detail]))),
    skipped,
    errors,
    duplicates: frame.proposals - proposedPlanIds.size,
    executed: results.filter((result) => result.executed).length,
    not_executed: countBy(
      results
        .filter(({ id }) => !corrected.has(id))
        .flatMap(({ outcome, reason }) =>
          outcome === "REJECTED" || outcome === "NOT_PLACED" ? [reason] : [],
        ),
    ),
    in_doubt: new Set(executes.filter(({ attempt }) => !ended.has(attempt)).map(({ planId }) => planId)).size,
    corrections: corrected.size,
    wait_ms: waits([...executes, ...results].flatMap(({ waitMs }) => (waitMs === undefined ? [] : [waitMs]))),
    orders: [...ordersOfPlan.values()].reduce((sum, ofPlan) => sum + ofPlan.length, 0),
    doubled: [...ordersOfPlan.values()].filter((ofPlan) => ofPlan.length > 1).length,
    lost: frame.cutShort === undefined ? open : 0,
    unfinished: frame.cutShort === undefined ? 0 : open,
    ...(frame.cutShort === undefined ? {} : { cut_short: frame.cutShort }),
    restarts: frame.restarts,
    ...judge(findings, frame.ordersExpected),
    scenario: frame.scenario,
    seed: frame.seed,
    ...(frame.expectedPlanIds === undefined ? {} : { replayed: compare(frame.expectedPlanIds, published) }),
  };
}

/** Whether the run may end with exit code 0. */
export function isSound(summary: Summary): boolean {
  return (
    Object.values(summary.invariants).every(Boolean) &&
    (summary.replayed === undefined || summary.replayed.plan_ids_unexpected.length === 0)
  );
}

function judge(findings: Findings, ordersExpected: boolean): Pick<Summary, "invariants" | "checked"> {
  const names = Object.keys(INVARIANTS) as InvariantName[];
  const of = <Value>(value: (name: InvariantName) => Value) =>
    Object.fromEntries(names.map((name) => [name, value(name)])) as Record<InvariantName, Value>;
  return {
    invariants: of((name) => {
      const { checked, violations } = findings[name];
      return violations.length === 0 && (checked > 0 || !ordersExpected);
    }),
    checked: of((name) => findings[name].checked),
  };
}

function compare(expected: readonly (string | undefined)[], published: ReadonlySet<string>): Replayed {
  const named = new Set(expected.filter((planId) => planId !== undefined));
  const complete = expected.every((planId) => planId !== undefined);
  return {
    lines: expected.length,
    plan_ids_as_expected: [...named].filter((planId) => published.has(planId)).length,
    plan_ids_unexpected: [
      ...[...named]
        .filter((planId) => !published.has(planId))
        .map((planId) => `${planId} expected, not published`),
      ...(complete
        ? [...published]
            .filter((planId) => !named.has(planId))
            .map((planId) => `${planId} published, not expected`)
        : []),
    ],
  };
}

function countBy(values: readonly string[]): Counts {
  const counts: Counts = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function waits(values: readonly number[]): Summary["wait_ms"] {
  const sorted = values.toSorted((a, b) => a - b);
  // Nearest rank, so that the result is a measured value.
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
  return { min: rank(0), p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: rank(1) };
}

/** The summary as text; the last line is the conclusion. */
export function renderSummary(summary: Summary, evidence: Evidence, findings: Findings): string[] {
  const { wait_ms: wait } = summary;
  const reasons = (title: string, counts: Counts) =>
    Object.entries(counts).map(([reason, count]) => `  ${title} ${reason} ${count}`);
  const positions = [...evidence.positions].map(([symbol, amount]) => {
    const ledger = evidence.ledgers.get(symbol);
    const [position, booked] = [amount, ledger].map((text) =>
      text === undefined ? "absent" : Big(text).toFixed(),
    );
    return `  ${symbol.padEnd(SYMBOL_WIDTH)} position ${position}  ledger ${booked}`;
  });
  const invariants = (Object.keys(INVARIANTS) as InvariantName[]).flatMap((name) => [
    `  ${name} ${verdictOn(name, summary)} (${summary.checked[name]} checked): ${INVARIANTS[name]}`,
    ...(summary.checked[name] === 0 && !summary.invariants[name]
      ? ["     nothing to check in a run that must have orders"]
      : []),
    ...findings[name].violations.slice(0, SHOWN_VIOLATIONS).map((violation) => `     ${violation}`),
  ]);
  return [
    `Summary of scenario ${summary.scenario}, seed ${summary.seed}${cutShortText(summary)}:`,
    `  plans ${summary.plans}, OK ${summary.ok}, executed ${summary.executed}, in doubt ${summary.in_doubt}, corrections ${summary.corrections}, duplicates ${summary.duplicates}`,
    ...reasons("BLOCKED", summary.blocked),
    ...reasons("  detail", summary.blocked_detail),
    ...reasons("SKIP", summary.skipped),
    ...reasons("ERROR", summary.errors),
    ...reasons("not executed", summary.not_executed),
    wait.max === null
      ? "  wait_ms: no plan has waited"
      : `  wait_ms p50 ${wait.p50}  p95 ${wait.p95}  p99 ${wait.p99}  max ${wait.max}`,
    ...Object.entries(summary.restarts).map(([name, count]) => `  started again: ${name} ${count}`),
    ...positions,
    ...invariants,
    ...replayLines(summary.replayed),
    `${summary.plans} plans, ${summary.orders} orders, ${summary.doubled} doubled, ${summary.lost} lost${summary.unfinished === 0 ? "" : `, ${summary.unfinished} unfinished`}`,
  ];
}

/** The streams' contents in a run whose Redis or exchange is gone. There is nothing to check them against. */
export function renderUnchecked(summary: Summary): string[] {
  return [
    `Summary of scenario ${summary.scenario}, seed ${summary.seed}${cutShortText(summary)}:`,
    ...Object.entries(summary.blocked).map(([reason, count]) => `  BLOCKED ${reason} ${count}`),
    ...Object.entries(summary.restarts).map(([name, count]) => `  started again: ${name} ${count}`),
    `  no invariant was checked`,
    `${summary.plans} plans, ${summary.executed} executed, ${summary.unfinished} unfinished, nothing checked`,
  ];
}

function cutShortText({ cut_short: why }: Summary): string {
  return why === undefined ? "" : `, cut short (${why})`;
}

/** Only checked if the run came to rest. */
const AT_REST: ReadonlySet<InvariantName> = new Set(["I3", "I4", "I7"]);

function verdictOn(name: InvariantName, summary: Summary): string {
  if (summary.invariants[name]) return "holds";
  return summary.cut_short !== undefined && AT_REST.has(name) ? "unfinished" : "BROKEN";
}

const SYMBOL_WIDTH = 12;
/** The others are similar. */
const SHOWN_VIOLATIONS = 5;

function replayLines(replayed: Replayed | undefined): string[] {
  if (replayed === undefined) return [];
  const { lines, plan_ids_as_expected: asExpected, plan_ids_unexpected: unexpected } = replayed;
  return [
    `  replayed ${lines} lines, ${asExpected} plan ids as expected, ${unexpected.length} not`,
    ...unexpected.slice(0, SHOWN_VIOLATIONS).map((line) => `     ${line}`),
  ];
}
