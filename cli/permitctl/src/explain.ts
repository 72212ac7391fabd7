/** `explain`: a plan's whole timeline, and the reason for its outcome. */
import { findPlan, viewOf } from "@quantum/operator";
import { spans, styled } from "@quantum/service-kit";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";
import { table } from "./layout.ts";

export async function explain({ access, terminal }: Session, planId: string): Promise<void> {
  if (!/^[0-9a-f]{16}$/.test(planId))
    throw new CommandError(EXIT.usage, `plan id ${JSON.stringify(planId)}: must be 16 lower-case hex digits`);
  const history = await findPlan(access, planId);
  if (history === undefined)
    throw new CommandError(
      EXIT.no,
      `plan ${planId} is unknown: it was never published, or its entries are no longer in the streams`,
    );
  const { symbol, attempts, conclusion, unreadable, traceId } = viewOf(history, access.nowMs());
  const { state, reason, sentence, lookAt } = conclusion;
  const data = {
    plan_id: planId,
    trace_id: traceId,
    symbol,
    state,
    reason,
    conclusion: sentence,
    look_at: lookAt,
    ...(unreadable.length > 0 && { unreadable }),
    attempts: attempts.map(({ attempt, stages }) => ({
      attempt,
      stages: stages.map(({ atMs, deltaMs, sinceOpenMs, stage, text }) => ({
        at_ms: atMs,
        delta_ms: deltaMs,
        since_open_ms: sinceOpenMs,
        stage,
        text,
      })),
    })),
  };
  terminal.print(data, [
    spans`plan ${planId} ${symbol || "?"}: ${styled("bold", state)}`,
    ...attempts.flatMap(({ stages }, index) => [
      ...(attempts.length > 1 ? [`attempt ${index + 1}`] : []),
      ...table(
        stages.map(({ atMs, deltaMs, sinceOpenMs, stage, text }) => [
          new Date(atMs).toISOString(),
          `${sinceOpenMs} ms`,
          `(+${deltaMs})`,
          stage,
          text,
        ]),
      ),
    ]),
    sentence,
    ...unreadable.map((problem) => `Not shown, because it cannot be read: ${problem}`),
    ...(lookAt === "" ? [] : [styled("dim", `Check: ${lookAt}`)]),
  ]);
}
