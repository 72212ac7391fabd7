/** How each kind of panel looks, in the types of the plugin that draws it. */
import {
  AxisPlacement,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  type DataTransformerConfig,
  type FieldConfigSource,
  HeatmapCellLayout,
  LegendDisplayMode,
  MappingType,
  PercentChangeColorMode,
  ThresholdsMode,
  SortOrder,
  TooltipDisplayMode,
  type ValueMapping,
  VisibilityMode,
  VizOrientation,
} from "@grafana/schema";
import type { Options as HeatmapOptions } from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as LinesField,
  Options as LinesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type { Options as TableOptions } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type { PanelSource } from "./dashboard-source.ts";
import { runbookUrl } from "./variables.ts";

const TYPES = { lines: "timeseries", stat: "stat", heatmap: "heatmap", alerts: "table" };

/** The plugin's name. */
export function typeOf({ kind }: PanelSource): string {
  return TYPES[kind];
}

const OPTIONS = {
  lines: (): LinesOptions => ({
    legend: {
      showLegend: true,
      displayMode: LegendDisplayMode.List,
      placement: "bottom",
      calcs: ["lastNotNull"],
    },
    tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
  }),
  stat: (): StatOptions => ({
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    orientation: VizOrientation.Auto,
    colorMode: BigValueColorMode.Background,
    graphMode: BigValueGraphMode.None,
    justifyMode: BigValueJustifyMode.Auto,
    textMode: BigValueTextMode.Auto,
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: PercentChangeColorMode.Standard,
  }),
  heatmap: (unit: string): HeatmapOptions => ({
    calculate: false,
    cellGap: 1,
    color: { scheme: "Turbo", steps: 64, exponent: 0.5, fill: "green", reverse: false },
    exemplars: { color: "rgba(255,0,255,0.7)" },
    legend: { show: true },
    rowsFrame: { layout: HeatmapCellLayout.le },
    showValue: VisibilityMode.Never,
    tooltip: { mode: TooltipDisplayMode.Single, yHistogram: true },
    yAxis: { axisPlacement: AxisPlacement.Left, unit },
  }),
  alerts: (): TableOptions => ({ frameIndex: 0, showHeader: true }),
};

export function optionsOf({
  kind,
  unit,
}: PanelSource): LinesOptions | StatOptions | HeatmapOptions | TableOptions {
  return OPTIONS[kind](unit);
}

export function fieldOf(source: PanelSource): FieldConfigSource {
  const { kind, unit } = source;
  if (kind === "stat") return statField(source);
  if (kind === "alerts") return { defaults: {}, overrides: [runbookColumn("alertname")] };
  // Soft: a short position is below zero.
  const lines: LinesField = { fillOpacity: 10, lineWidth: 1, axisSoftMin: 0 };
  return { defaults: { unit, ...(kind === "lines" ? { custom: { ...lines } } : {}) }, overrides: [] };
}

function statField({ unit, states, badFrom }: PanelSource): FieldConfigSource {
  // Without a bound the value is just a number.
  const [base, beyond] = states?.good === 1 ? ["red", "green"] : ["green", "red"];
  const from = states === undefined ? badFrom : 1;
  const steps = [
    // JSON has no -Infinity, by which Grafana knows the first step: it takes null for it.
    { value: null, color: from === undefined ? "blue" : base },
    ...(from === undefined ? [] : [{ value: from, color: beyond }]),
  ];
  const mappings: ValueMapping[] =
    states === undefined
      ? []
      : [{ type: MappingType.ValueToText, options: { 0: { text: states[0] }, 1: { text: states[1] } } }];
  return {
    defaults: { unit, thresholds: { mode: ThresholdsMode.Absolute, steps }, mappings },
    overrides: [],
  };
}

/** Columns of an alert that are the same in each row, or mean nothing to its reader. */
const ALERT_COLUMNS_HIDDEN = ["Time", "Value", "__name__", "alertstate"];

export function transformationsOf({ kind }: PanelSource): DataTransformerConfig[] {
  if (kind !== "alerts") return [];
  const excludeByName = Object.fromEntries(ALERT_COLUMNS_HIDDEN.map((name) => [name, true]));
  return [{ id: "organize", options: { excludeByName } }];
}

/** Each name in the column leads to its runbook. */
function runbookColumn(column: string): FieldConfigSource["overrides"][number] {
  const link = { title: "Runbook", url: runbookUrl("${__value.raw}"), targetBlank: true };
  return {
    matcher: { id: "byName", options: column },
    properties: [{ id: "links", value: [link] }],
  };
}
