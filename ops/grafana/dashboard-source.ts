/** What a dashboard says, whatever draws it. */

export interface Query {
  expr: string;
  /** Grafana's template over the labels, as `{{reason}}`. */
  legend: string;
  /** Why a healthy run may have no series here. Without it, a running pipeline must have one: a test asks. */
  mayBeEmpty?: string;
}

export interface PanelSource {
  kind: "lines" | "stat" | "heatmap" | "alerts";
  title: string;
  /** For whoever sees the panel for the first time. */
  description: string;
  /** Grafana's name of the unit. */
  unit: string;
  queries: readonly Query[];
  /** A state of 0 or 1 in words, and whether 1 is the good one. */
  states?: { 0: string; 1: string; good: 0 | 1 };
  /** From here on a stat is red. */
  badFrom?: number;
  /** Names of the runbooks that it links to, without ending. */
  runbooks?: readonly string[];
}

/** Marks in all graphs of a dashboard, from while to while `expr` has a value above 0. */
export interface AnnotationSource {
  name: string;
  expr: string;
  /** Of a mark: Grafana's template over the labels. */
  title: string;
  /** Grafana's name of the colour. */
  color: string;
}

export interface DashboardSource {
  uid: string;
  title: string;
  description: string;
  rows: readonly RowSource[];
}

export interface RowSource {
  title: string;
  panels: readonly PanelSource[];
}
