import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';

/** The data source that the predecessor's dashboards use; `init/grafana/datasources` makes it. */
export const DATA_SOURCE = { type: 'mysql', uid: 'dba_process_monitor' };

/**
 * How Grafana reads the rows. `time_series` wants the columns `time` (epoch seconds, ascending), `metric` (the name of the
 * series) and one value: with exactly these three, all versions of Grafana name a series by `metric` alone.
 */
export type Format = 'time_series' | 'table';

/** A query of Grafana's MySQL plugin as its editor would save it. The SDK knows the plugins' panels but not this query. */
interface MysqlQuery extends Dataquery {
  refId: string;
  datasource: typeof DATA_SOURCE;
  format: Format;
  editorMode: 'code';
  rawQuery: true;
  rawSql: string;
}

/** @param refId unique in its panel. */
export function query(refId: string, format: Format, rawSql: string): Builder<Dataquery> {
  const built: MysqlQuery = {
    refId,
    datasource: DATA_SOURCE,
    format,
    editorMode: 'code',
    rawQuery: true,
    rawSql,
    _implementsDataqueryVariant() {},
  };
  return { build: () => built };
}
