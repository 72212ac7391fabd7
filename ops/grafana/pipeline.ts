import { PLAN_PATH } from "@quantum/topology";
import type { DashboardSource } from "./dashboard-source.ts";
import { latency } from "./latency.ts";

const PER_SECOND = "suffix:/s";

export const pipeline: DashboardSource = {
  uid: "quantum-pipeline",
  title: "Quantum: pipeline",
  description: "From proposals to orders: is it running, how fast, and why is a plan blocked.",
  rows: [
    {
      title: "Now",
      panels: [
        {
          kind: "stat",
          title: "Kill switch",
          description: "Operators halt everything with it.",
          runbooks: ["KillSwitchOn"],
          unit: "short",
          states: { 0: "off", 1: "ON", good: 0 },
          queries: [
            { expr: "max(quantum_kill_switch_active) or max(quantum_apply_kill_switch)", legend: "" },
          ],
        },
        {
          kind: "stat",
          title: "Governor",
          description: "Whether it has disarmed everything.",
          runbooks: ["Disarmed"],
          unit: "short",
          states: { 0: "armed", 1: "DISARMED", good: 0 },
          queries: [{ expr: "max(quantum_disarmed)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Services up",
          description: "Replicas that answer Prometheus, by service.",
          runbooks: ["ServiceDown"],
          unit: "short",
          queries: [
            { expr: `sum(up{job=~"${PLAN_PATH.map(({ name }) => name).join("|")}"})`, legend: "replicas" },
          ],
        },
        {
          kind: "stat",
          title: "Orders in doubt",
          description: "Orders whose outcome is unknown; their symbols get no further permit.",
          runbooks: ["OrderInDoubt"],
          unit: "short",
          badFrom: 1,
          queries: [{ expr: "max(quantum_orders_in_doubt)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Symbols with a mismatch",
          description: "Position and ledger differ; beyond the tolerance the symbol is held.",
          runbooks: ["DriftHold"],
          unit: "short",
          badFrom: 1,
          queries: [
            { expr: "count(max by (symbol) (p33_disagreement_seconds) > 0) or vector(0)", legend: "" },
          ],
        },
        {
          kind: "stat",
          title: "Dead letters",
          description: "Entries that could not be handled and wait for an operator.",
          runbooks: ["DeadLetters"],
          unit: "short",
          badFrom: 1,
          queries: [{ expr: "max(quantum_dead_letters)", legend: "" }],
        },
      ],
    },
    {
      title: "Alerts",
      panels: [
        {
          kind: "alerts",
          title: "Firing alerts",
          description: "What Prometheus's rules find wrong now. A name leads to its runbook.",
          unit: "short",
          queries: [
            {
              expr: 'ALERTS{alertstate="firing",severity!="none"}',
              legend: "{{alertname}}",
              mayBeEmpty: "nothing is wrong",
            },
          ],
        },
      ],
    },
    {
      title: "Flow",
      panels: [
        {
          kind: "lines",
          title: "Plans through the stages",
          description: "Where a line leaves the one above it, plans end there.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum(rate(quantum_apply_plan_total[$__rate_interval])) + sum(rate(quantum_apply_dedupe_hits_total[$__rate_interval]))",
              legend: "proposed",
            },
            {
              expr: 'sum(rate(quantum_apply_plan_total{decision="EXECUTE"}[$__rate_interval]))',
              legend: "waiting for permits",
            },
            {
              expr: 'sum(rate(quantum_permit_wait_ms_count{outcome="ok"}[$__rate_interval]))',
              legend: "permitted",
            },
            {
              expr: 'sum(rate(quantum_order_outcomes_total{outcome="EXECUTED"}[$__rate_interval]))',
              legend: "executed",
            },
          ],
        },
        {
          kind: "lines",
          title: "OK and BLOCK",
          description: "How waits for permits end.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum by (outcome) (rate(quantum_permit_wait_ms_count[$__rate_interval]))",
              legend: "{{outcome}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Ended without a wait",
          description: "Plans that were skipped, blocked or wrong when they opened, by reason.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum by (decision, reason) (rate(quantum_apply_refused_total[$__rate_interval]))",
              legend: "{{decision}} {{reason}}",
            },
          ],
        },
      ],
    },
    {
      title: "The wait for permits",
      panels: [
        {
          kind: "heatmap",
          title: "wait_ms of permitted plans",
          description: "Time from publication to verdict, by Redis's clock.",
          unit: "ms",
          queries: [
            {
              expr: 'sum by (le) (increase(quantum_permit_wait_ms_bucket{outcome="ok"}[$__rate_interval]))',
              legend: "{{le}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "wait_ms against the deadline",
          description: "Quantiles of permitted plans; at the deadline a plan is blocked.",
          runbooks: ["PermitWaitSlow"],
          unit: "ms",
          queries: [
            ...[0.5, 0.95, 0.99].map((quantile) => ({
              expr: `histogram_quantile(${quantile}, sum by (le) (rate(quantum_permit_wait_ms_bucket{outcome="ok"}[$__rate_interval])))`,
              legend: `p${quantile * 100}`,
            })),
            { expr: "min(quantum_permit_wait_budget_ms)", legend: "deadline" },
          ],
        },
        {
          kind: "lines",
          title: "Block reasons",
          description: "Why waits end in BLOCKED; docs/reasons.md explains each.",
          runbooks: ["PermitBlocksFrequent", "PermitBlockShareHigh"],
          unit: PER_SECOND,
          queries: [
            {
              expr: 'sum by (reason) (rate(quantum_permit_block_total{symbol=~"$symbol"}[$__rate_interval]))',
              legend: "{{reason}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Plans waiting",
          description: "In all apply-layers together, at this moment.",
          unit: "short",
          queries: [{ expr: "sum(quantum_permit_waiting_plans)", legend: "waiting" }],
        },
        {
          kind: "lines",
          title: "Safe quantity",
          description: "Of each symbol's last permitted plan, in units of its base asset.",
          unit: "short",
          queries: [
            { expr: 'max by (symbol) (quantum_permit_safe_qty{symbol=~"$symbol"})', legend: "{{symbol}}" },
          ],
        },
      ],
    },
    latency,
    {
      title: "Orders",
      panels: [
        {
          kind: "lines",
          title: "Outcomes",
          description: "How orders end. NOT_PLACED and REJECTED name their reason.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum by (outcome, reason) (rate(quantum_order_outcomes_total[$__rate_interval]))",
              legend: "{{outcome}} {{reason}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Exchange calls, p95",
          description: "By endpoint; what the executor asks of the exchange.",
          unit: "s",
          queries: [
            {
              expr: "histogram_quantile(0.95, sum by (le, endpoint) (rate(quantum_exchange_call_seconds_bucket[$__rate_interval])))",
              legend: "{{endpoint}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Age of the oldest order in doubt",
          description: "Since its claim; 0 without one.",
          runbooks: ["OrderInDoubt"],
          unit: "s",
          queries: [
            { expr: "max(quantum_orders_in_doubt_oldest_seconds)", legend: "oldest" },
            {
              expr: "sum by (doubt) (increase(quantum_order_doubts_total[$__rate_interval]))",
              legend: "new, by {{doubt}}",
              mayBeEmpty: "an exchange that answers leaves no order in doubt",
            },
          ],
        },
        {
          kind: "lines",
          title: "What settled orders",
          description:
            "The first that said how a claimed order ended: its answer, its event, or a query. Mostly queries: the user data stream is down.",
          unit: PER_SECOND,
          queries: [
            {
              expr: "sum by (by) (rate(quantum_orders_settled_total[$__rate_interval]))",
              legend: "{{by}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Closes that are not executed",
          description:
            "How long a close of an open position has been proposed without any execution; from 60 s on it is an alert.",
          runbooks: ["CloseUnfulfilled"],
          unit: "s",
          queries: [
            {
              expr: 'max by (symbol) (quantum_close_unfulfilled_seconds{symbol=~"$symbol"})',
              legend: "{{symbol}}",
            },
            {
              expr: 'max by (symbol) (p33_position_dust{symbol=~"$symbol"}) > 0',
              legend: "{{symbol}} is too small for any order",
              mayBeEmpty: "no position is that small",
            },
          ],
        },
        {
          kind: "lines",
          title: "Since the last executed plan",
          description: "By symbol.",
          unit: "s",
          queries: [
            {
              expr: 'time() - max by (symbol) (quantum_apply_last_success_epoch{symbol=~"$symbol"})',
              legend: "{{symbol}}",
            },
          ],
        },
      ],
    },
  ],
};
