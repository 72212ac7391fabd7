/** The toy's folder: a policy, and nothing else. */
import type { PlanEntry } from "@quantum/contract";
import { deny, grant, issuerConfig, runIssuer } from "@quantum/issuer";
import { TOY } from "./row.ts";

const decide = ({ plan_id }: PlanEntry) => {
  // Three of four, by the plan's last hex digit.
  if (/[0-3]$/.test(plan_id)) return deny("toy_disagrees", { last_digit: plan_id.slice(-1) });
  return grant("toy_agrees");
};

await runIssuer({
  service: TOY,
  summary: "permits three plans of four",
  ...issuerConfig(TOY),
  start: ({ config }) => ({
    policy: { decide },
    symbols: config["SYMBOLS"] as string[],
    reasons: ["toy_disagrees"],
  }),
});
