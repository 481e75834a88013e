import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { grafanaJson } from '../../src/dashboard/dashboard.ts';
import { allQueries, exportedDashboard } from './exported.ts';

const SOURCE = { type: 'mysql', uid: 'dba_process_monitor' };

const PANELS_OF_ROWS = {
  FLEET: ['hosts', ...['CPU', 'memory', 'disk', 'net'].map((what) => `top 10 hosts: ${what}`)],
  CULPRITS: ['CPU', 'memory', 'read', 'write', 'net in', 'net out'].map((what) => `who used most: ${what}`),
  ATTRIBUTION: [
    ...['CPU', 'read', 'write', 'net in', 'net out'].map((what) => `${what}: what it is made of`),
    'unattributed: CPU',
    'unattributed: read, write, net in, net out',
  ],
  CPU: ['CPU used', 'CPU idle', 'CPU iowait', 'CPU steal', 'CPU load', 'CPU cores'],
  MEMORY: ['memory used', 'memory free', 'memory total', 'memory used, share'],
  DISK: [
    ...['disk utilisation', 'disk queue', 'disk read', 'disk write'],
    ...['disk used', 'disk free', 'disk total', 'disk used, share', 'read of the host', 'write of the host'],
  ],
  NET: [
    ...['net receive', 'net send', 'net total', 'net speed', 'net receive by interface', 'net send by interface'],
    'net receive by port and remote address',
    'net send by port and remote address',
    'net by port and remote address',
  ],
  PROCESS: ['CPU', 'memory', 'read', 'write', 'net in', 'net out'].flatMap((what) => [
    `process ${what}`,
    `process ${what}, largest sample`,
  ]),
};

describe('init/grafana.json', () => {
  const dashboard = exportedDashboard();
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');

  it('is what the generator makes', () => {
    assert.equal(readFileSync('init/grafana.json', 'utf8'), grafanaJson(), 'run: npm run generate');
  });

  it('is a dashboard that can be provisioned and shows the last hours in the time zone of the browser', () => {
    const { id, uid, schemaVersion, timezone, refresh, time } = dashboard;
    assert.deepEqual(
      { id, uid, schemaVersion, timezone, refresh, time },
      {
        id: null,
        uid: 'procmesh',
        schemaVersion: 39,
        timezone: 'browser',
        refresh: '1m',
        time: { from: 'now-6h', to: 'now' },
      },
    );
  });

  it('has every panel in its row', () => {
    const found: { [row: string]: string[] } = {};
    let titles: string[] = [];
    for (const { type, title } of dashboard.panels) {
      if (type !== 'row') titles.push(title);
      else {
        titles = [];
        found[title] = titles;
      }
    }
    assert.deepEqual(found, PANELS_OF_ROWS);
  });

  it('gives each panel an id and a place of its own', () => {
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    assert.ok(dashboard.panels.every(({ id }) => id > 0));
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x >= 0 && gridPos.w > 0 && gridPos.h > 0 && gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.equal(taken.get(`${x} ${y}`), undefined, `${title} lies over another`);
          taken.set(`${x} ${y}`, title);
        }
      }
    }
  });

  it('leaves no line of panels half empty', () => {
    const lines = Map.groupBy(dashboard.panels, ({ gridPos }) => gridPos.y);
    for (const line of lines.values())
      assert.equal(
        line.map(({ gridPos }) => gridPos.w).reduce((a, b) => a + b),
        24,
      );
  });

  it('says of each panel in words and unit what it shows', () => {
    for (const { title, description, fieldConfig } of panels) {
      assert.match(description ?? '', /^.{20,}\.$/s, title);
      assert.match(fieldConfig?.defaults.unit ?? '', /^(percent|bytes|Bps|bps|short)$/, title);
    }
  });

  it('shows all series at the pointer and a table of their means and maxima', () => {
    for (const { title, options } of panels.filter(({ type }) => type === 'timeseries')) {
      assert.equal(options?.tooltip?.mode, 'multi', title);
      assert.equal(options?.legend?.displayMode, 'table', title);
      assert.deepEqual(options?.legend?.calcs.slice(0, 2), ['mean', 'max'], title);
    }
  });

  it('draws largest samples as dashes, and what a stack should add up to as a line before it', () => {
    const dashed = ['custom.lineStyle', 'custom.fillOpacity'];
    const outlined = ['custom.stacking', 'custom.fillOpacity', 'custom.lineWidth'];
    for (const { title, targets = [], fieldConfig } of panels) {
      for (const { refId, rawSql } of targets) {
        const override = fieldConfig?.overrides.find(
          ({ matcher }) => matcher.id === 'byFrameRefID' && matcher.options === refId,
        );
        const look = override?.properties.map(({ id }) => id) ?? [];
        if (rawSql.includes("' ', 'max')")) assert.deepEqual(look, dashed, title);
        else if (rawSql.includes("' ', 'host')")) assert.deepEqual(look, outlined, title);
        else assert.ok(!look.some((id) => [...dashed, ...outlined].includes(id)), title);
      }
    }
    const stacked = panels.filter(({ fieldConfig }) => fieldConfig?.defaults.custom?.stacking?.mode === 'normal');
    assert.deepEqual(
      stacked.map(({ title }) => title),
      PANELS_OF_ROWS.ATTRIBUTION.slice(0, 5),
    );
  });

  it('asks the data source that provisioning makes, by queries that its editor can open', () => {
    const targets = [
      ...panels.flatMap(({ targets = [] }) => targets),
      ...dashboard.annotations.list.map(({ target }) => target),
    ];
    for (const { datasource, editorMode, rawQuery, format } of targets) {
      assert.deepEqual(
        { datasource, editorMode, rawQuery },
        { datasource: SOURCE, editorMode: 'code', rawQuery: true },
      );
      assert.match(format, /^(time_series|table)$/);
    }
    for (const { title, type, datasource, targets = [] } of panels) {
      assert.deepEqual(datasource, SOURCE, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { format } of targets) assert.equal(format, type === 'table' ? 'table' : 'time_series', title);
    }
    for (const { datasource } of dashboard.templating.list) assert.deepEqual(datasource, SOURCE);
    for (const { datasource, enable } of dashboard.annotations.list) {
      assert.deepEqual({ datasource, enable }, { datasource: SOURCE, enable: true });
    }
  });

  it('lets one choose several hosts and instances, or all', () => {
    assert.deepEqual(
      dashboard.templating.list.map(({ name, type, multi, includeAll, allValue, refresh }) => ({
        ...{ name, type, multi, includeAll, allValue, refresh },
      })),
      [
        { name: 'host', type: 'query', multi: true, includeAll: true, allValue: undefined, refresh: 1 },
        { name: 'instance', type: 'query', multi: true, includeAll: true, allValue: 'instance', refresh: 2 },
      ],
    );
  });

  it('uses no SQL that only some of MySQL 5.7, MySQL 8, MariaDB and TiDB have', () => {
    for (const [where, sql] of allQueries(dashboard)) {
      assert.doesNotMatch(sql, /\b(OVER|WITH|LATERAL|INTERSECT|EXCEPT|RETURNING|FULL|MEDIAN|JSON_\w+)\b/i, where);
    }
  });
});

describe('init/grafana', () => {
  it('provisions the data source that the dashboard asks, without a secret', () => {
    const yaml = readFileSync('init/grafana/datasources/procmesh.yaml', 'utf8');
    for (const line of [/name: dba_process_monitor$/m, /uid: dba_process_monitor$/m, /type: mysql$/m]) {
      assert.match(yaml, line);
    }
    assert.match(yaml, /user: monitor_ro$/m);
    assert.match(yaml, /database: dbzz_monitor$/m);
    assert.match(yaml, /password: \$\{PROCMESH_MYSQL_PASSWORD\}$/m);
  });

  it('provisions the dashboard from the folder that the README copies it to', () => {
    const folder = /path: (.+)$/m.exec(readFileSync('init/grafana/dashboards/procmesh.yaml', 'utf8'))?.[1];
    assert.ok(folder !== undefined && readFileSync('README.md', 'utf8').includes(folder), `${folder}`);
  });
});
