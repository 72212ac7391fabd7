import type { RowSource } from "./dashboard-source.ts";

/** The stages that follow one another. Those of issuers are part of the wait for the verdict. */
const WHOLE = 'instance=~"$instance",stage!="permit"';

export const latency: RowSource = {
  title: "Latency by stage",
  panels: [
    {
      kind: "lines",
      title: "Where the time goes",
      description:
        "Mean time of each stage, of the plans that passed it. An executed plan passes all, each from the end of the one before; blocked ones only the first.",
      unit: "s",
      queries: [
        {
          expr: `sum by (stage) (rate(quantum_plan_stage_seconds_sum{${WHOLE}}[$__rate_interval])) / sum by (stage) (rate(quantum_plan_stage_seconds_count{${WHOLE}}[$__rate_interval]))`,
          legend: "{{stage}}",
        },
      ],
    },
    {
      kind: "lines",
      title: "Each stage, p95",
      description:
        "verdict: the wait for permits. claimed: in the executor's queue. sent: the journal. answered: the exchange. settled: the result. ledger: until the books show the fills.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, stage) (rate(quantum_plan_stage_seconds_bucket{${WHOLE}}[$__rate_interval])))`,
          legend: "{{stage}}",
        },
      ],
    },
    {
      kind: "lines",
      title: "Each issuer's answer, p95",
      description:
        "From the opening to its answer. Issuers answer at the same time; the last one ends the wait.",
      unit: "s",
      queries: [
        {
          expr: 'histogram_quantile(0.95, sum by (le, issuer) (rate(quantum_plan_stage_seconds_bucket{instance=~"$instance",stage="permit"}[$__rate_interval])))',
          legend: "{{issuer}}",
        },
      ],
    },
  ],
};
