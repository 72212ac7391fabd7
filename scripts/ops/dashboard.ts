/** What a dashboard says, and how that becomes Grafana's JSON. The dashboards themselves are beside this file. */
import type { Dashboard, FieldConfigSource, GridPos, Panel, RowPanel } from "@grafana/schema";
import { DashboardCursorSync, defaultDashboard } from "@grafana/schema";
import { fieldOf, optionsOf, typeOf } from "./panel.ts";

export interface Query {
  expr: string;
  /** Grafana's template over the labels, as `{{reason}}`. */
  legend: string;
  /** Why a healthy run may have no series here. Without it, a running pipeline must have one: a test asks. */
  mayBeEmpty?: string;
}

export interface PanelSource {
  kind: "lines" | "stat" | "heatmap";
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
}

export interface DashboardSource {
  uid: string;
  title: string;
  description: string;
  rows: readonly { title: string; panels: readonly PanelSource[] }[];
}

/** Grafana's grid has 24 columns: three panels a line, or six single values. */
const COLUMNS = 24;
const SIZES = {
  lines: { w: 8, h: 8 },
  heatmap: { w: 16, h: 8 },
  stat: { w: 4, h: 4 },
} as const satisfies Record<PanelSource["kind"], Pick<GridPos, "w" | "h">>;

/** The uid in ops/grafana/provisioning/datasources. */
const DATA_SOURCE = { type: "prometheus", uid: "prometheus" };

export function toGrafana({ uid, title, description, rows }: DashboardSource): Dashboard {
  const panels: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      type: "row",
      id: panels.length + 1,
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    let lineHeight = 0;
    for (const source of row.panels) {
      const size = SIZES[source.kind];
      if (x + size.w > COLUMNS) {
        y += lineHeight;
        x = 0;
        lineHeight = 0;
      }
      panels.push(panelOf(source, panels.length + 1, { x, y, ...size }));
      x += size.w;
      lineHeight = Math.max(lineHeight, size.h);
    }
    y += lineHeight;
  }
  return {
    uid,
    title,
    description,
    tags: ["quantum"],
    schemaVersion: defaultDashboard.schemaVersion,
    editable: false,
    timezone: "utc",
    time: { from: "now-30m", to: "now" },
    refresh: "10s",
    graphTooltip: DashboardCursorSync.Crosshair,
    links: [
      {
        type: "dashboards",
        title: "Quantum",
        tags: ["quantum"],
        asDropdown: false,
        icon: "",
        includeVars: false,
        keepTime: true,
        targetBlank: false,
        tooltip: "",
      },
    ],
    panels,
  };
}

function panelOf(source: PanelSource, id: number, gridPos: GridPos): Panel {
  const { title, description } = source;
  return {
    id,
    type: typeOf(source),
    title,
    description,
    gridPos,
    datasource: DATA_SOURCE,
    targets: source.queries.map(({ expr, legend }, index) => ({
      // A, B, C …
      refId: String.fromCodePoint(0x41 + index),
      datasource: DATA_SOURCE,
      expr,
      legendFormat: legend,
      range: source.kind !== "stat",
      instant: source.kind === "stat",
      ...(source.kind === "heatmap" ? { format: "heatmap" } : {}),
    })),
    // Grafana's options are interfaces, and only a literal type has the index signature that a panel asks for.
    options: { ...optionsOf(source) },
    fieldConfig: fieldOf(source) satisfies FieldConfigSource,
  };
}
