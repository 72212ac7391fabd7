/** How a dashboard's source becomes Grafana's JSON. */
import type { Dashboard, FieldConfigSource, GridPos, Panel, RowPanel } from "@grafana/schema";
import { DashboardCursorSync, defaultDashboard } from "@grafana/schema";
import { fieldOf, optionsOf, typeOf } from "./panel.ts";
import type { DashboardSource, PanelSource } from "./dashboard-source.ts";

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
