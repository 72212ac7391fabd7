import type { Query, RowSource } from "./dashboard-source.ts";

const used = (matchers = "") => byLimit("quantum_limit_used", matchers);
const allowed = (matchers = "") => byLimit("quantum_limit_max", matchers);

function byLimit(metric: string, matchers: string): string {
  return `max by (symbol, limit) (${metric}{symbol=~"$symbol"${matchers}})`;
}

function againstLimit(limit: string): Query[] {
  const matchers = `,limit="${limit}"`;
  return [
    { expr: used(matchers), legend: "{{symbol}}" },
    { expr: `max(${allowed(matchers)})`, legend: "limit" },
  ];
}

export const limits: RowSource = {
  title: "The governor's limits",
  panels: [
    {
      kind: "lines",
      title: "Use of the limits",
      description:
        "Executions and open permits, and what was charged today and is reserved. At 100 % it denies.",
      unit: "percentunit",
      queries: [
        {
          expr: `${used()} / (${allowed()} > 0)`,
          legend: "{{symbol}} {{limit}}",
        },
      ],
    },
    {
      kind: "lines",
      title: "Executions within the hour",
      description: "With open permits; the limit is GOV_MAX_EXEC_PER_HOUR.",
      unit: "short",
      queries: againstLimit("executions_hour"),
    },
    {
      kind: "lines",
      title: "Executions within five minutes",
      description: "With open permits; the limit is GOV_MAX_EXEC_PER_5MIN.",
      unit: "short",
      runbooks: ["Disarmed"],
      queries: [
        ...againstLimit("executions_5min"),
        {
          expr: "sum by (reason) (increase(quantum_govern_disarm_total[$__rate_interval]))",
          legend: "disarmed: {{reason}}",
          mayBeEmpty: "nobody storms the limits",
        },
      ],
    },
    {
      kind: "lines",
      title: "Dollars closed today",
      description:
        "Charged this UTC day, and reserved by open permits; the limit is GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD.",
      unit: "currencyUSD",
      queries: againstLimit("notional_day"),
    },
    {
      kind: "lines",
      title: "Coins closed today",
      description:
        "Charged this UTC day, and reserved; the limit is GOV_MAX_REDUCE_QTY_PER_DAY, used only while the price is unknown.",
      unit: "short",
      queries: againstLimit("qty_day"),
    },
  ],
};
