import { HOSTED } from "@quantum/topology";
import type { DashboardSource } from "./dashboard-source.ts";
import { limits } from "./limits.ts";

const PER_SECOND = "suffix:/s";
/** Issuers that plans do not need by default. Their metrics begin with their names. */
const OPTIONAL = HOSTED.flatMap(({ issuer }) => (issuer?.required === false ? [issuer.name] : []));
const NOT_NEEDED = "plans need its permit only where APPLY_REQUIRED_PERMITS names it";

export const issuers: DashboardSource = {
  uid: "quantum-issuers",
  title: "Quantum: issuers",
  description: "The governor's limits, what P3.3 knows of the exchange, and the portfolio's stress.",
  rows: [
    {
      title: "All",
      panels: [
        {
          kind: "lines",
          title: "Answers",
          description: "Permits and denials of each issuer.",
          unit: PER_SECOND,
          queries: [
            {
              expr: 'sum(rate(quantum_govern_allow_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "governor permits",
            },
            {
              expr: 'sum(rate(quantum_govern_block_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "governor denies",
            },
            {
              expr: 'sum(rate(p33_permit_allow_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "p33 permits",
            },
            {
              expr: 'sum(rate(p33_permit_deny_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "p33 denies",
            },
            ...OPTIONAL.flatMap((issuer) => [
              {
                expr: `sum(rate(${issuer}_permit_allow_total[$__rate_interval]))`,
                legend: `${issuer} permits`,
                mayBeEmpty: NOT_NEEDED,
              },
              {
                expr: `sum(rate(${issuer}_permit_deny_total[$__rate_interval]))`,
                legend: `${issuer} denies`,
                mayBeEmpty: NOT_NEEDED,
              },
            ]),
          ],
        },
        {
          kind: "lines",
          title: "Permits that never came",
          description: "Share of the waits that ended without this issuer's answer.",
          unit: "percentunit",
          queries: [{ expr: "quantum:permit_missing:ratio5m", legend: "{{issuer}}" }],
        },
        {
          kind: "lines",
          title: "Time in the queue",
          description: "Plans that an issuer has yet to read, and those that it has not answered.",
          unit: "short",
          queries: [
            {
              expr: 'max by (group) (quantum_stream_lag{stream=~".*apply.plan"})',
              legend: "{{group}} to read",
            },
            {
              expr: 'max by (group) (quantum_stream_pending{stream=~".*apply.plan"})',
              legend: "{{group}} to answer",
            },
          ],
        },
      ],
    },
    {
      title: "Governor",
      panels: [
        {
          kind: "lines",
          title: "The governor's denials",
          description: "docs/reasons.md explains each.",
          unit: PER_SECOND,
          queries: [
            {
              expr: 'sum by (reason) (rate(quantum_govern_block_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "{{reason}}",
            },
          ],
        },
      ],
    },
    limits,
    {
      title: "P3.3, the position brain",
      panels: [
        {
          kind: "lines",
          title: "P3.3's denials",
          description: "docs/reasons.md explains each.",
          unit: PER_SECOND,
          queries: [
            {
              expr: 'sum by (reason) (rate(p33_permit_deny_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "{{reason}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Age of the snapshots",
          description: "Beyond P33_STALE_THRESHOLD_SEC (10 s) P3.3 denies.",
          runbooks: ["SnapshotStale"],
          unit: "s",
          queries: [
            { expr: 'max by (symbol) (p33_snapshot_age_seconds{symbol=~"$symbol"})', legend: "{{symbol}}" },
          ],
        },
        {
          kind: "lines",
          title: "Pauses that the exchange asks for",
          description: "How long it wants no requests, or no orders.",
          runbooks: ["ExchangePaused"],
          unit: "s",
          queries: [{ expr: "max by (scope) (quantum_exchange_pause_seconds)", legend: "{{scope}}" }],
        },
        {
          kind: "lines",
          title: "Use of the exchange's limits",
          description:
            "The highest of the last one to two minutes. Audits stop at 50 %, refreshes at 75 %, orders at 90 %.",
          runbooks: ["ExchangeLimitNear"],
          unit: "percentunit",
          queries: [{ expr: "max by (kind) (quantum_exchange_budget_used)", legend: "{{kind}}" }],
        },
        {
          kind: "lines",
          title: "Mismatch of snapshot and ledger",
          description: "How long it has lasted; from a minute on it is an alert.",
          runbooks: ["DriftHold"],
          unit: "s",
          queries: [
            { expr: 'max by (symbol) (p33_disagreement_seconds{symbol=~"$symbol"})', legend: "{{symbol}}" },
          ],
        },
        {
          kind: "lines",
          title: "Positions",
          description: "Signed, by the exchange and by our ledger; the lines lie on each other.",
          unit: "short",
          queries: [
            {
              expr: 'max by (symbol) (p33_exchange_position_amt{symbol=~"$symbol"})',
              legend: "{{symbol}} exchange",
            },
            {
              expr: 'max by (symbol) (p33_ledger_position_amt{symbol=~"$symbol"})',
              legend: "{{symbol}} ledger",
            },
          ],
        },
        {
          kind: "lines",
          title: "Refresh, p95",
          description: "One reading of all positions at the exchange.",
          unit: "s",
          queries: [
            {
              expr: "histogram_quantile(0.95, sum by (le) (rate(p33_refresh_duration_seconds_bucket[$__rate_interval])))",
              legend: "p95",
            },
          ],
        },
        {
          kind: "lines",
          title: "Refreshes without a result",
          description:
            "Failed: no usable answer. Inconclusive: position and trades did not fit together yet.",
          unit: PER_SECOND,
          queries: [
            {
              expr: 'sum by (symbol) (rate(p33_refresh_failures_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "{{symbol}} failed",
              mayBeEmpty: "the exchange answers",
            },
            {
              expr: 'sum by (symbol) (rate(p33_refresh_inconclusive_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "{{symbol}} inconclusive",
              mayBeEmpty: "position and trades of the simulated exchange change together",
            },
          ],
        },
      ],
    },
    {
      title: "P2.6, the portfolio gate",
      panels: [
        {
          kind: "lines",
          title: "Stress of the portfolio",
          description:
            "Full closes are capped below P26_STRESS_FULLCLOSE_MIN (0.55); nothing is from P26_STRESS_RISKOFF (0.8) on. Gaps: not known.",
          unit: "short",
          queries: [
            { expr: "max(p26_stress)", legend: "stress", mayBeEmpty: NOT_NEEDED },
            { expr: "max(p26_heat)", legend: "heat", mayBeEmpty: NOT_NEEDED },
            { expr: "max(p26_concentration)", legend: "concentration", mayBeEmpty: NOT_NEEDED },
            { expr: "max(p26_corr_proxy)", legend: "correlation", mayBeEmpty: NOT_NEEDED },
          ],
        },
        {
          kind: "lines",
          title: "Closes made smaller",
          description: "To HOLD: denied by the cooldown. docs/reasons.md explains each reason.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum by (to_action, reason) (rate(p26_actions_downgraded_total[$__rate_interval]))",
              legend: "{{to_action}} {{reason}}",
              mayBeEmpty: NOT_NEEDED,
            },
          ],
        },
        {
          kind: "lines",
          title: "Plans denied because the portfolio is not known",
          description: "What is missing, stale or unreadable; the denial's context names the symbol.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum by (reason) (rate(p26_fail_closed_total[$__rate_interval]))",
              legend: "{{reason}}",
              mayBeEmpty: NOT_NEEDED,
            },
          ],
        },
      ],
    },
  ],
};
