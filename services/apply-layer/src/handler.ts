/**
 * Handles a proposal: decides on it, opens it as a plan or blocks it, and watches the plan until its permits are there.
 */
import type { Proposal } from "@quantum/contract";
import type { PermitWait } from "@quantum/permits";
import { decide, type Decided, type Gates, proposedAtMs } from "./decide.ts";
import type { Open } from "./open.ts";
import type { Accept } from "./proposals.ts";
import type { ApplyTelemetry } from "./telemetry.ts";

export interface HandlerOptions {
  gates: Gates;
  /** `APPLY_KILL_SWITCH`. */
  halted: boolean;
  /** Whether an issuer or the executor is too far behind to accept another plan. */
  isFull: () => Promise<boolean>;
  open: Open;
  wait: PermitWait;
  events: ApplyTelemetry;
}

export function createHandler({ gates, halted, isFull, open, wait, events }: HandlerOptions) {
  const lastPlan = new Map<string, string>();

  async function judge(proposal: Proposal): Promise<Decided> {
    if (halted) return { decision: "BLOCKED", reason: "kill_switch_active" };
    const { fresh, ...decided } = decide(proposal, gates);
    const isRefused = decided.decision === "EXECUTE" && (await isFull());
    return {
      ...(isRefused ? { decision: "BLOCKED", reason: "backlog_full" } : decided),
      ...(fresh && { fresh }),
    };
  }

  const accept: Accept = async (proposal, publishedMs) => {
    const decided = await judge(proposal);
    // If old proposals are allowed, a proposal's own time does not show when its plan could first have been opened.
    const statedMs = gates.proposalMaxAgeSec === 0 ? undefined : proposedAtMs(proposal);
    // Use the earlier time, because a proposal may be published again.
    const times = [publishedMs, statedMs].filter((time) => time !== undefined);
    const opened = await open(proposal, decided, times.length === 0 ? undefined : Math.min(...times));
    events.emit("opened", { symbol: proposal.symbol, decided, opened });
    lastPlan.set(proposal.symbol, opened.planId);
    // A waiting duplicate may belong to a dead replica, so this process watches it too.
    const waits = opened.kind === "opened" || (opened.kind === "duplicate" && opened.state === "WAITING");
    if (waits) wait.watch(opened.planId, proposal.symbol, opened.remainingMs);
  };

  /** `lastPlan`: the last accepted plan of each symbol, from the stream or the hash. */
  return { accept, lastPlan: lastPlan as ReadonlyMap<string, string> };
}
