/**
 * What a drill finds: the orders that an exit of the whole account would cancel and send now, and what would stop it. The
 * executor writes it as JSON to `exit_report` of the drill's record.
 */
import { z } from "zod";

const reportedPosition = z.object({
  symbol: z.string(),
  /** Signed, in coins; "" if it cannot be read. */
  amt: z.string(),
  /** That closes it. */
  side: z.enum(["BUY", "SELL", ""]),
  /** The quantities of the orders that close it, one after another. */
  steps: z.array(z.string()),
  /** What no order can close, because it is below the smallest one; "" if nothing. */
  dust: z.string(),
  /** It is not known whether there is a position. */
  unreadable: z.boolean(),
});
export type ReportedPosition = z.infer<typeof reportedPosition>;

const reportedCancel = z.object({
  symbol: z.string(),
  /** The venue's; "", like side, type and qty, if the order cannot be read. Then it is not known what it may do. */
  id: z.string(),
  /** `algo`: conditional, and not triggered yet. */
  kind: z.enum(["order", "algo"]),
  side: z.string(),
  type: z.string(),
  /** In coins; 0 or "" if it closes the whole position. */
  qty: z.string(),
  /** It can only make the position smaller: it is cancelled once the symbol is flat, or if it is in the way. */
  reduces: z.boolean(),
});

export const exitReport = z.object({
  /** By Redis's clock. */
  at_ms: z.number(),
  /** Positions and waiting orders could be read. If not, what is missing here may be there. */
  complete: z.boolean(),
  positions: z.array(reportedPosition),
  cancels: z.array(reportedCancel),
  /** What would stop an exit now, one sentence each. */
  hindrances: z.array(z.string()),
});
export type ExitReport = z.infer<typeof exitReport>;
