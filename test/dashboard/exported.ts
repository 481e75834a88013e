import { grafanaJson } from '../../src/dashboard/dashboard.ts';

export interface DataSourceRef {
  type: string;
  uid: string;
}

export interface Target {
  refId: string;
  datasource: DataSourceRef;
  format: string;
  editorMode: string;
  rawQuery: boolean;
  rawSql: string;
}

interface FieldOverride {
  matcher: { id: string; options: string };
  properties: { id: string; value: unknown }[];
}

export interface PanelModel {
  id: number;
  type: 'row' | 'timeseries' | 'table';
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  description?: string;
  datasource?: DataSourceRef;
  targets?: Target[];
  options?: { tooltip?: { mode: string }; legend?: { displayMode: string; calcs: string[] } };
  fieldConfig?: { defaults: { unit?: string; custom?: { stacking?: { mode: string } } }; overrides: FieldOverride[] };
}

export interface VariableModel {
  name: string;
  type: string;
  query: string;
  datasource: DataSourceRef;
  multi: boolean;
  includeAll: boolean;
  allValue?: string;
  refresh: number;
}

export interface AnnotationModel {
  name: string;
  enable: boolean;
  datasource: DataSourceRef;
  target: Target;
}

/** What the tests look at of a dashboard's JSON. */
export interface DashboardModel {
  id: null;
  uid: string;
  schemaVersion: number;
  timezone: string;
  refresh: string;
  time: { from: string; to: string };
  panels: PanelModel[];
  templating: { list: VariableModel[] };
  annotations: { list: AnnotationModel[] };
}

export function exportedDashboard(): DashboardModel {
  return JSON.parse(grafanaJson());
}

/** Everything that is asked of MySQL, by where it stands: `panel CPU used A`, `variable host`, `annotation alerts`. */
export function allQueries({ panels, templating, annotations }: DashboardModel): Map<string, string> {
  return new Map([
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, rawSql }): [string, string] => [`panel ${title} ${refId}`, rawSql]),
    ),
    ...templating.list.map(({ name, query }): [string, string] => [`variable ${name}`, query]),
    ...annotations.list.map(({ name, target }): [string, string] => [`annotation ${name}`, target.rawSql]),
  ]);
}
