/** What can be chosen at the top of every dashboard. */
import { type VariableModel, VariableRefresh, VariableSort } from "@grafana/schema";

/** What every query is asked of. On import, Grafana takes its default data source, and another one can be chosen. */
export const DATA_SOURCE = { type: "prometheus", uid: "${datasource}" };

const ALL = { text: "All", value: "$__all" };

/** The links of panels and alerts lead below it. It is what Prometheus's label `runbooks` is, until somebody sets a URL. */
const RUNBOOKS = "docs/runbooks";

export const VARIABLES: VariableModel[] = [
  {
    name: "datasource",
    label: "Data source",
    type: "datasource",
    query: "prometheus",
    // The uid in ops/grafana/provisioning/datasources.
    current: { text: "Prometheus", value: "prometheus" },
  },
  labelValues("symbol", "Symbol", "p33_snapshot_age_seconds"),
  labelValues("instance", "Instance", "up"),
  {
    name: "runbooks",
    label: "Runbooks at",
    description: "URL of the folder docs/runbooks, where you can read it",
    type: "textbox",
    query: RUNBOOKS,
    current: { text: RUNBOOKS, value: RUNBOOKS },
  },
];

function labelValues(name: string, label: string, metric: string): VariableModel {
  return {
    name,
    label,
    type: "query",
    datasource: DATA_SOURCE,
    query: { query: `label_values(${metric}, ${name})`, refId: name },
    refresh: VariableRefresh.onTimeRangeChanged,
    sort: VariableSort.alphabeticalAsc,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: ALL,
  };
}

/** Page of a runbook. */
export function runbookUrl(name: string): string {
  return `\${runbooks}/${name}.md`;
}
