/**
 * Checks a campaign's orders and results with the invariants that `start` checks too (I1-I7).
 *
 * If Redis was made to lose data, the checks cannot expect what is gone. Each relaxation is a separate function that
 * gives its reason. None affects a run without losses, and orders (I1, I2, I5) are always checked against everything
 * that was ever seen.
 */
import {
  checkInvariants,
  type Claim,
  type Evidence,
  type ExecuteRecord,
  type Findings,
  ORDER_OUTCOMES,
  type ResultRecord,
  type VenueOrder,
} from "@quantum/harness";
import type { Losses } from "./losses.ts";
import type { Recorder } from "./record.ts";

/** The executor learns the exchange's clock from requests; the slowest ones took about this long. */
const CLOCK_ESTIMATE_MS = 250;

export interface Judgement {
  findings: Findings;
  /** Attempts that a loss of Redis ended: nothing is left from which to produce a result. */
  forgotten: number;
}

export function judge(evidence: Evidence, history: Recorder, losses: Losses): Judgement {
  const orders = new Map(
    evidence.orders.filter(({ origin }) => origin === "api").map((order) => [order.clientOrderId, order]),
  );
  const executes = handOversOfOrders(evidence.executes, orders, history, losses);
  const ofOrders = {
    ...evidence,
    executes,
    permits: permitsGivenOnce(evidence, history, losses),
    claims: claimsOfOrders({ ...evidence, executes }, orders, losses),
  };
  const ofResults = resultsAfterLosses(evidence, handOversSent(evidence, orders), history, losses);
  const { I3, I4 } = checkInvariants(ofResults);
  return {
    findings: { ...checkInvariants(ofOrders), I3, I4 },
    forgotten: evidence.plans.length - ofResults.plans.length,
  };
}

/**
 * A handover that Redis lost may be repeated for the same order, and counts as one. Of several handovers, the last one
 * before the order was sent counts.
 */
function handOversOfOrders(
  executes: readonly ExecuteRecord[],
  orders: ReadonlyMap<string, VenueOrder>,
  history: Recorder,
  losses: Losses,
): readonly ExecuteRecord[] {
  const idOf = ({ planId, attemptNo }: ExecuteRecord) => `qp-${planId}-${attemptNo}`;
  return [...Map.groupBy(executes, idOf)].flatMap(([id, same]) => {
    const kept = same.filter((execute) => !losses.isErased("execute", history.idOf(execute)));
    if (kept.length > 1) return kept;
    const sentAtMs = orders.get(id)?.timestampMs ?? Number.POSITIVE_INFINITY;
    return same.findLast(({ atMs }) => atMs <= sentAtMs + CLOCK_ESTIMATE_MS) ?? same.slice(-1);
  });
}

/** A permit that Redis lost may be issued again. */
function permitsGivenOnce({ permits }: Evidence, history: Recorder, losses: Losses): Evidence["permits"] {
  const ofIssuer = Map.groupBy(permits, ({ attempt, issuer, verdict }) => `${attempt} ${issuer} ${verdict}`);
  return [...ofIssuer.values()].flatMap((same) => {
    const kept = same.filter((permit) => !losses.isErased("permit", history.idOf(permit)));
    return kept.length > 0 ? kept : same.slice(-1);
  });
}

/**
 * Two kinds of claims are replaced by what the permits allowed, which is at least as strict: claims that were lost or
 * deleted, and late claims made only to query an order that may have been sent before (`may_be_sent`).
 */
function claimsOfOrders(
  { claims, executes }: Evidence,
  orders: ReadonlyMap<string, VenueOrder>,
  losses: Losses,
): ReadonlyMap<string, Claim> {
  const judged = new Map(claims);
  for (const { planId, attempt, attemptNo, atMs, validUntilMs } of executes) {
    const order = orders.get(`qp-${planId}-${attemptNo}`);
    const claim = claims.get(planId);
    const asPermitted = {
      claimedAtMs: atMs,
      windowEndMs: validUntilMs + CLOCK_ESTIMATE_MS,
      isQuestion: false,
    };
    if (claim?.attempt !== attempt || claim.claimedAtMs === undefined) {
      if (order !== undefined && (losses.count > 0 || losses.struckClaims.has(planId)))
        judged.set(planId, { attempt, state: "FORGOTTEN", ...asPermitted });
    } else if (claim.isQuestion) {
      judged.set(planId, { ...claim, ...asPermitted });
    }
  }
  return judged;
}

/** The handovers whose orders were sent: the last before each. */
function handOversSent(
  { executes }: Evidence,
  orders: ReadonlyMap<string, VenueOrder>,
): readonly ExecuteRecord[] {
  return [...Map.groupBy(executes, ({ planId, attemptNo }) => `qp-${planId}-${attemptNo}`)].flatMap(
    ([id, same]) => {
      const order = orders.get(id);
      if (order === undefined) return [];
      return (
        same.findLast(
          ({ atMs }) => atMs <= (order.timestampMs ?? Number.POSITIVE_INFINITY) + CLOCK_ESTIMATE_MS,
        ) ?? []
      );
    },
  );
}

/**
 * Which attempts must have a result. An attempt whose plan entry was lost can no longer end; if it had ended, its
 * result is checked, unless the plan was opened again: then the last attempt's is. If the plan entry is still there,
 * only what came after the loss counts: a lost result or handover must have been repeated, or the plan must have ended
 * otherwise. An order that was sent is never forgotten: its executor's journal has it. Its result may be repeated, if it was lost.
 */
function resultsAfterLosses(
  evidence: Evidence,
  sent: readonly ExecuteRecord[],
  history: Recorder,
  losses: Losses,
): Evidence {
  const told = new Set(
    evidence.results.filter(({ outcome }) => ORDER_OUTCOMES.has(outcome)).map(({ planId }) => planId),
  );
  const owed = new Set(sent.filter(({ planId }) => !told.has(planId)).map(({ attempt }) => attempt));
  const isErased = (plan: { attempt: string }) => losses.isErased("plan", plan.attempt);
  const lasting = new Set(evidence.plans.filter((plan) => !isErased(plan)).map(({ planId }) => planId));
  const ended = new Set(evidence.results.map(({ attempt }) => attempt));
  const last = new Map(
    evidence.plans
      .filter(({ attempt }) => ended.has(attempt))
      .map(({ planId, attempt }) => [planId, attempt]),
  );
  const plans = evidence.plans.filter(
    (plan) =>
      !isErased(plan) ||
      owed.has(plan.attempt) ||
      (last.get(plan.planId) === plan.attempt && !lasting.has(plan.planId)),
  );
  const judged = new Set(plans.map(({ attempt }) => attempt));
  const published = new Set(plans.map(({ planId }) => planId));
  // Keeps records that belong to no known plan, so that the checks see them.
  const isDropped = ({ attempt }: { attempt: string }) => isErased({ attempt }) && !judged.has(attempt);
  const counts = (stream: "execute" | "result") => (record: { attempt: string }) =>
    !isDropped(record) && !losses.isUndone(stream, history.idOf(record), record.attempt);
  // An order that was sent needs no second handover.
  const executes = evidence.executes.filter(counts("execute"));
  const repeated = new Set(executes.map(({ attempt }) => attempt));
  const lost = sent.filter(({ attempt }) => judged.has(attempt) && !repeated.has(attempt));
  const alone = new Set(
    evidence.plans.filter(({ attempt }) => losses.isPlanAlone(attempt)).map(({ planId }) => planId),
  );
  const proposed = [...evidence.proposedPlanIds].filter(
    (plan) =>
      published.has(plan) ||
      !(
        alone.has(plan) ||
        losses.struckProposals.has(plan) ||
        losses.isErased("proposal", history.proposalIds.get(plan) ?? "")
      ),
  );
  return {
    ...evidence,
    plans,
    executes: [...executes, ...lost],
    results: repeatedOnce(evidence.results.filter(counts("result")), history, losses),
    proposedPlanIds: new Set(proposed),
  };
}

/**
 * A result that Redis lost with its plan may be published again; a correction, also as a result of its own, since what it corrects
 * is lost. And an attempt may have been blocked when Redis had forgotten that its order was sent: then the fill corrects that
 * result, as one that denies the order.
 */
function repeatedOnce(results: Evidence["results"], history: Recorder, losses: Losses): Evidence["results"] {
  const repeats = (later: ResultRecord, { attempt, corrects }: ResultRecord) =>
    later.attempt === attempt && (later.corrects === undefined || corrects !== undefined);
  const isCorrected = ({ attempt }: ResultRecord) =>
    results.some((other) => other.attempt === attempt && other.corrects !== undefined);
  return results
    .filter(
      (result, index) =>
        !losses.isErased("result", history.idOf(result)) ||
        !results.slice(index + 1).some((later) => repeats(later, result)),
    )
    .map((result) =>
      losses.count > 0 && result.outcome === "BLOCKED" && isCorrected(result)
        ? { ...result, outcome: "NOT_PLACED" }
        : result,
    );
}
