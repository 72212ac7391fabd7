/** How a dashboard's source becomes Grafana's JSON. */
import type {
  AnnotationQuery,
  Dashboard,
  DashboardLink,
  FieldConfigSource,
  GridPos,
  Panel,
  RowPanel,
} from "@grafana/schema";
import { DashboardCursorSync, defaultDashboard } from "@grafana/schema";
import { ANNOTATIONS } from "./annotations.ts";
import { fieldOf, optionsOf, transformationsOf, typeOf } from "./panel.ts";
import type { AnnotationSource, DashboardSource, PanelSource } from "./dashboard-source.ts";
import { DATA_SOURCE, runbookUrl, VARIABLES } from "./variables.ts";

/** Grafana's grid has 24 columns: three panels a line, or six single values. */
const COLUMNS = 24;
const SIZES = {
  lines: { w: 8, h: 8 },
  heatmap: { w: 16, h: 8 },
  stat: { w: 4, h: 4 },
  alerts: { w: 24, h: 6 },
} as const satisfies Record<PanelSource["kind"], Pick<GridPos, "w" | "h">>;

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
    // What was chosen goes along.
    links: [
      {
        ...NO_LINK,
        type: "dashboards",
        title: "Quantum",
        tags: ["quantum"],
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: VARIABLES },
    annotations: { list: ANNOTATIONS.map(annotationOf) },
    panels,
  };
}

const NO_LINK: DashboardLink = {
  type: "link",
  title: "",
  tags: [],
  asDropdown: false,
  icon: "",
  includeVars: false,
  keepTime: false,
  targetBlank: false,
  tooltip: "",
};

function annotationOf({ name, expr, title, color }: AnnotationSource): AnnotationQuery {
  const annotation = {
    name,
    enable: true,
    iconColor: color,
    datasource: DATA_SOURCE,
    target: { refId: "Anno", expr },
    titleFormat: title,
  };
  return annotation;
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
    links: (source.runbooks ?? []).map((name) => ({
      ...NO_LINK,
      title: `Runbook ${name}`,
      url: runbookUrl(name),
      targetBlank: true,
    })),
    transformations: transformationsOf(source),
    targets: source.queries.map(({ expr, legend }, index) => ({
      // A, B, C …
      refId: String.fromCodePoint(0x41 + index),
      datasource: DATA_SOURCE,
      expr,
      legendFormat: legend,
      range: !isInstant(source),
      instant: isInstant(source),
      ...formatOf(source),
    })),
    // Grafana's options are interfaces, and only a literal type has the index signature that a panel asks for.
    options: { ...optionsOf(source) },
    fieldConfig: fieldOf(source) satisfies FieldConfigSource,
  };
}

/** It shows what is, not what was. */
function isInstant({ kind }: PanelSource): boolean {
  return kind === "stat" || kind === "alerts";
}

function formatOf({ kind }: PanelSource): { format?: string } {
  if (kind === "heatmap") return { format: "heatmap" };
  return kind === "alerts" ? { format: "table" } : {};
}
