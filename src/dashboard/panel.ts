import {
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { DATA_SOURCE, query } from './query.ts';

export type Panel = timeseries.PanelBuilder | table.PanelBuilder;

/** Panels under one heading; those of one line share its width. */
export interface Row {
  title: string;
  lines: Panel[][];
}

interface Described {
  title: string;
  /** In plain words: what it shows, where the figure comes from. */
  description: string;
  /** One of `@grafana/grafana-foundation-sdk/units`. */
  unit: string;
}

const REF_IDS = 'ABCDEFGH';

/** A query in the format `time_series`, and what is special about its lines. Names of series would be no sure match. */
export interface Drawn {
  sql: string;
  look: DynamicConfigValue[];
}

/** For the largest samples beside averages. */
export function dashed(sql: string): Drawn {
  return {
    sql,
    look: [
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [4, 4] } },
      { id: 'custom.fillOpacity', value: 0 },
    ],
  };
}

export function coloured(sql: string, fixedColor: string): Drawn {
  return { sql, look: [{ id: 'color', value: { mode: 'fixed', fixedColor } }] };
}

/** A line before series that are stacked, for what they should add up to. */
export function outline(sql: string): Drawn {
  return {
    sql,
    look: [
      { id: 'custom.stacking', value: { mode: StackingMode.None, group: 'A' } },
      { id: 'custom.fillOpacity', value: 0 },
      { id: 'custom.lineWidth', value: 2 },
    ],
  };
}

interface SeriesShown extends Described {
  queries: (string | Drawn)[];
}

export function seriesPanel({ title, description, unit, queries }: SeriesShown): timeseries.PanelBuilder {
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .min(0)
    .lineWidth(1)
    .fillOpacity(10)
    .showPoints(VisibilityMode.Auto)
    .spanNulls(false)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .calcs(['mean', 'max', 'lastNotNull'])
        .sortBy('Mean')
        .sortDesc(true),
    );
  for (const [index, drawn] of queries.entries()) {
    const refId = REF_IDS.charAt(index);
    const { sql, look } = typeof drawn === 'string' ? { sql: drawn, look: [] } : drawn;
    panel.withTarget(query(refId, 'time_series', sql));
    if (look.length > 0) panel.overrideByQuery(refId, look);
  }
  return panel;
}

/** Series drawn on top of each other, so that their sum can be read. */
export function stackedPanel(panel: SeriesShown): timeseries.PanelBuilder {
  return seriesPanel(panel).fillOpacity(60).stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
}

/** @param columns what is special about columns, by name. */
export function tablePanel({
  title,
  description,
  unit,
  sql,
  columns,
}: Described & { sql: string; columns: { [name: string]: DynamicConfigValue[] } }): table.PanelBuilder {
  const panel = new table.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .showHeader(true)
    .filterable(true)
    .withTarget(query('A', 'table', sql));
  for (const [name, properties] of Object.entries(columns)) panel.overrideByName(name, properties);
  return panel;
}
