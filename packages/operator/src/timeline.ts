/** A plan's stages with their times, by attempts. Pure. */
import { ISSUERS } from "@quantum/contract";
import { addedAtMs, type Entry } from "@quantum/streams";
import { correctsText, outcomeText } from "./plan-rows.ts";
import { capsOf, type OrderTexts, type PlanHistory, type PlanTexts } from "./plan-history.ts";

export interface Stage {
  atMs: number;
  /** Since the stage before, and since the first one of the attempt. */
  deltaMs: number;
  sinceOpenMs: number;
  /** `open`, the issuer's name, `verdict`, `claim`, `doubt`, `operator`, `result`. */
  stage: string;
  text: string;
}

export interface Attempt {
  /** Id of its `apply.plan` entry. */
  attempt: string;
  stages: Stage[];
}

type Bare = Omit<Stage, "deltaMs" | "sinceOpenMs">;

export function timelineOf(history: PlanHistory): Attempt[] {
  const { record, plans } = history;
  const ids = new Set(plans.map(({ id }) => id));
  // The stream may have been trimmed, or the Python apply-layer may have kept no record.
  const recorded = record.attempt ?? history.order.attempt ?? history.results.at(-1)?.fields["attempt"];
  if (recorded !== undefined && recorded !== "") ids.add(recorded);
  const attempts = ids.size === 0 ? [""] : [...ids].toSorted((a, b) => addedAtMs(a) - addedAtMs(b));
  return attempts.map((attempt) => {
    const isLast = attempt === attempts.at(-1);
    // Entries of the Python services name no attempt.
    const belongs = ({ fields }: Entry) =>
      fields["attempt"] === attempt || ((fields["attempt"] ?? "") === "" && isLast);
    return { attempt, stages: withDeltas(stagesOf(history, attempt, belongs)) };
  });
}

function stagesOf(history: PlanHistory, attempt: string, belongs: (entry: Entry) => boolean): Bare[] {
  const { record, order, plans, permits, executes, results } = history;
  const mine = record.attempt === attempt ? record : {};
  const claim = order.attempt === attempt ? order : {};
  const stages: Bare[] = [
    ...plans.filter(({ id }) => id === attempt).map(opened),
    ...permits.filter(belongs).map((entry) => answered(entry, mine)),
    ...executes.filter(belongs).map((entry) => spent(entry, mine)),
    ...claimStages(claim),
    ...results.filter(belongs).map((entry) => ended(entry, results)),
  ];
  const told = new Set(stages.map(({ stage }) => stage));
  return [...recordStages(mine).filter(({ stage }) => !told.has(stage)), ...stages].toSorted(
    (a, b) => a.atMs - b.atMs,
  );
}

function opened(entry: Entry): Bare {
  const { decision = "", reason_codes: reason = "", action = "", kill_score: score = "" } = entry.fields;
  const { deadline_ms: deadline, mode } = entry.fields;
  const atMs = addedAtMs(entry.id);
  const text = [
    `${decision}${reason === "" ? "" : ` ${reason}`}`,
    `${action}, kill_score ${score}`,
    ...(mode === undefined ? [] : [`mode ${mode}`]),
    ...(deadline === undefined ? [] : [`may wait ${Number(deadline) - atMs} ms`]),
  ];
  return { atMs, stage: "open", text: text.join(", ") };
}

function answered(entry: Entry, record: PlanTexts): Bare {
  const { issuer = "", verdict = "", reason = "" } = entry.fields;
  const text = `${verdict}: ${reason}${signatureText(record, issuer)}`;
  return { atMs: addedAtMs(entry.id), stage: issuer, text };
}

/** What consume found of the key, and the executor of the signature. */
function signatureText(record: PlanTexts, issuer: string): string {
  const key = record[`${issuer}_key`];
  const signature = record[`${issuer}_signature`];
  const found = signature === undefined ? "not verified yet" : signature;
  if (key === undefined) return signature === undefined ? "" : `, not signed: ${found}`;
  return `, signed with key ${key || "(unreadable)"}: ${found}`;
}

function spent(entry: Entry, record: PlanTexts): Bare {
  const { safe_qty: safeQty, wait_ms: waitMs, valid_until_ms: validUntil } = entry.fields;
  const atMs = addedAtMs(entry.id);
  const text = `${spentText(waitMs, safeQty, record)}; the order may be claimed for ${Number(validUntil) - atMs} ms`;
  return { atMs, stage: "verdict", text };
}

function spentText(waitMs: string | undefined, safeQty: string | undefined, record: PlanTexts): string {
  if (record.class === "drill") return `signed by ${record.operator}, to look and nothing else`;
  if (record.class !== undefined) return `signed by ${record.operator}, for ${safeQty} at most`;
  const caps = capsOf(record).map(({ issuer, cap }) => `, capped by ${issuer} to ${cap}`);
  return `all permits spent after ${waitMs} ms, safe_qty ${safeQty}${caps.join("")}`;
}

function claimStages(claim: OrderTexts): Bare[] {
  const { claimed_at_ms: claimedAt, unknown_at_ms: unknownAt } = claim;
  const stages: Bare[] = [];
  if (claimedAt !== undefined) {
    const cap = claim.capped_by_venue === "1" ? ", capped_by_venue: the exchange takes no larger order" : "";
    const text = `${claim.client_order_id}: ${claim.side} ${claim.quantity}${cap}`;
    stages.push({ atMs: Number(claimedAt), stage: "claim", text });
  }
  if (unknownAt !== undefined)
    stages.push({
      atMs: Number(unknownAt),
      stage: "doubt",
      text: `the answer was ambiguous: ${claim.why}`,
    });
  if (claim["stated_at_ms"] !== undefined) {
    const what = [claim.stated_outcome, claim.stated_qty].filter(Boolean).join(" ");
    const text = `${claim["stated_by"]} stated that it ended ${what}`;
    stages.push({ atMs: Number(claim["stated_at_ms"]), stage: "operator", text });
  }
  return stages;
}

function ended(entry: Entry, results: readonly Entry[]): Bare {
  const { fields } = entry;
  const { corrects = "" } = fields;
  const corrected = results.find(({ id }) => id === corrects);
  const qty = fields["executed_qty"] ?? "";
  const words = [
    fields["outcome"] ?? `${fields["decision"]} executed=${fields["executed"]}`,
    (fields["reason"] ?? "") || (fields["error"] ?? ""),
    fields["detail"] ?? "",
    fields["capped_by_venue"] === "True" ? "capped_by_venue" : "",
    corrects === "" ? "" : correctsText(corrects, corrected && outcomeText(corrected.fields)),
    qty === "" ? "" : `order ${fields["order_id"]}: ${qty} at ${fields["avg_price"]}`,
  ];
  return { atMs: addedAtMs(entry.id), stage: "result", text: words.filter((word) => word !== "").join(", ") };
}

/** What the record alone tells: issuers that only set keys, and stages whose entries were trimmed. */
function recordStages(record: PlanTexts): Bare[] {
  const at = (field: keyof PlanTexts, stage: string, text: string): Bare[] =>
    record[field] === undefined ? [] : [{ atMs: Number(record[field]), stage, text }];
  const issuers = new Set([
    ...ISSUERS,
    ...Object.keys(record).flatMap((field) => /^(.+)_verdict$/.exec(field)?.[1] ?? []),
  ]);
  return [
    ...at("opened_at_ms", "open", `${record.step}, mode ${record.mode}`),
    ...[...issuers].flatMap((issuer) => {
      const verdict = record[`${issuer}_verdict`];
      return [
        ...at(
          `${issuer}_at_ms`,
          issuer,
          `${verdict}: ${record[`${issuer}_reason`] ?? ""}${signatureText(record, issuer)}`,
        ),
        ...at(
          `${issuer}_seen_ms`,
          issuer,
          record[`${issuer}_reason`] === "bare_permit"
            ? `${verdict} by a bare permit, without attempt, quantity or cap`
            : `${verdict} by a key, without a wake-up`,
        ),
      ];
    }),
    ...(record.safe_qty === undefined
      ? []
      : at("verdict_at_ms", "verdict", spentText(record.wait_ms, record.safe_qty, record))),
    ...at("ended_at_ms", "result", [record.state, record.reason, record.detail].filter(Boolean).join(", ")),
  ];
}

function withDeltas(stages: readonly Bare[]): Stage[] {
  const openedAtMs = stages[0]?.atMs ?? 0;
  return stages.map((stage, index) => ({
    ...stage,
    deltaMs: stage.atMs - (stages[index - 1]?.atMs ?? openedAtMs),
    sinceOpenMs: stage.atMs - openedAtMs,
  }));
}
