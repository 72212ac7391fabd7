import {
  DENIAL_REASONS,
  ISSUERS,
  ORDER_REASONS,
  P26_GRANTS,
  PLAN_REASONS,
  meaningOf,
  SAFE_BECAUSE,
  waitReasons,
} from "@quantum/contract";
import { issuerOf } from "@quantum/topology";
import { type Doubt, DOUBTS } from "../../services/executor/src/decide.ts";
import { DISARM_REASONS, type DisarmReason } from "../../services/governor/src/reasons.ts";
import { code, page, table } from "./markdown.ts";

const DISARMS: Readonly<Record<DisarmReason, string>> = {
  burst_limit_breach:
    "a plan came after GOV_MAX_EXEC_PER_5MIN executions of its symbol within 5 minutes, open permits not counted; a limit of 0 does not disarm (off: GOV_DISARM_ON_BURST_BREACH=false)",
  repeated_errors:
    "GOV_DISARM_ON_ERROR_COUNT errors of one governor within an hour, of the account or of several symbols: plans it could not evaluate, orders that failed. Errors of one symbol count for at most half of them; by themselves they only hold that symbol (`orders_refused`)",
};

const IN_DOUBT: Readonly<Record<Doubt, string>> = {
  answer_ambiguous: "the request ended without an answer that tells whether it was executed",
  not_closed_yet: "accepted, but not closed when it was queried at once",
  already_placed: "an open order has the client order id",
  claimed_before: "claimed by a delivery that did not come to its end, or that Redis may have forgotten",
  claimant_silent: "the send window passed, and whoever claimed it has not settled it",
};

export function renderReasons(): string {
  return page(
    "Reasons",
    "Every reason is of a closed set (`packages/contract/src/reasons.ts`) and a metric's label. One that a newer or older service writes is labelled `other`.",
    "## Why a plan never waited",
    `Safe: ${SAFE_BECAUSE.plan}. Counted by \`quantum_apply_refused_total{decision,reason}\`, duplicates by \`quantum_apply_dedupe_hits_total\`.`,
    ...Object.entries(PLAN_REASONS).flatMap(([decision, reasons]) => [
      `### ${decision}`,
      reasonTable(reasons),
    ]),
    "An EXECUTE plan may carry the remark `kill_score_warning_close_ok`: a high kill score does not forbid a close.",
    "## Why the wait ended in BLOCKED",
    `\`reason=\` of the \`[PERMIT_WAIT] BLOCK\` lines and of \`quantum_permit_block_total\`. Safe: ${SAFE_BECAUSE.wait}. The permits that were there are deleted. Shown for the required issuers ${code(ISSUERS.join())}; other lists of them follow the same pattern.`,
    reasonTable(waitReasons(ISSUERS)),
    ...Object.entries(DENIAL_REASONS).flatMap(([issuer, reasons]) => [
      `## Why ${issuer} denied`,
      `\`detail=\` after \`${issuer}_permit_denied\`, and \`reason\` of the metric that counts its denials${issuerOf(issuer).required ? "" : ", where `APPLY_REQUIRED_PERMITS` names it"}; checked in this order. Safe: ${SAFE_BECAUSE.denial}.`,
      reasonTable(reasons),
    ]),
    "## Why P2.6 capped a close, or did not",
    "`p26_reason` of the plan's record; `permitctl explain` shows it, and `p26_cap` where the cap is below P3.3's safe quantity. A cap is never above the position.",
    reasonTable(P26_GRANTS),
    "## Why a permitted plan was not executed",
    `\`error\` and \`reason\` of the result, and \`quantum_order_outcomes_total{reason}\`. Safe: ${SAFE_BECAUSE.order}.`,
    reasonTable(ORDER_REASONS),
    "## Why an order is in doubt",
    "`quantum_order_doubts_total{doubt}`. Safe: P3.3 denies the symbol until the exchange has told what became of the order; nothing is sent meanwhile.",
    table(
      ["doubt", "meaning"],
      DOUBTS.map((doubt) => [code(doubt), IN_DOUBT[doubt]]),
    ),
    "## Why the governor disarmed",
    "`quantum_govern_disarm_total{reason}` and the stream `quantum:stream:governor.events`. Safe: nothing opens, is permitted, spent or claimed until an operator arms it again.",
    table(
      ["reason", "meaning"],
      DISARM_REASONS.map((reason) => [code(reason), DISARMS[reason]]),
    ),
  );
}

function reasonTable(reasons: readonly string[]): string {
  return table(
    ["reason", "meaning", "what to check"],
    reasons.map((reason) => {
      const known = meaningOf(reason);
      if (known === undefined)
        throw new Error(`reason ${reason} has no meaning in packages/contract/src/meanings.ts`);
      return [code(reason), known.meaning, known.lookAt];
    }),
  );
}
