import { DashboardBuilder, DashboardCursorSync, RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { annotations } from './annotations.ts';
import type { Row } from './panel.ts';
import { attributionRow } from './rows/attribution.ts';
import { cpuRow } from './rows/cpu.ts';
import { culpritsRow } from './rows/culprits.ts';
import { diskRow } from './rows/disk.ts';
import { fleetRow } from './rows/fleet.ts';
import { memoryRow } from './rows/memory.ts';
import { netRow } from './rows/net.ts';
import { processRow } from './rows/process.ts';
import { hostVariable, instanceVariable } from './variables.ts';

const UID = 'procmesh';
const GRID_WIDTH = 24;
const PANEL_HEIGHT = 9;

/**
 * The schema of Grafana 11.0, though the SDK builds for a newer one: what is used here is the same in both, newer versions
 * bring a dashboard up to theirs, and none brings one down.
 */
const SCHEMA_VERSION = 39;

/** `init/grafana.json`: a dashboard for provisioning or import. */
export function grafanaJson(): string {
  const builder = new DashboardBuilder('procmesh')
    .uid(UID)
    .description('Which process, which instance, used up which machine.')
    .tags(['procmesh'])
    .timezone('browser')
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([hostVariable(), instanceVariable()])
    .annotations(annotations());
  addRows(builder, [
    fleetRow(UID),
    culpritsRow(),
    attributionRow(),
    cpuRow(),
    memoryRow(),
    diskRow(),
    netRow(),
    processRow(),
  ]);
  return `${JSON.stringify({ id: null, ...builder.build(), schemaVersion: SCHEMA_VERSION }, null, 2)}\n`;
}

function addRows(builder: DashboardBuilder, rows: Row[]): void {
  let id = 1;
  for (const { title, lines } of rows) {
    builder.withRow(new RowBuilder(title).id(id++));
    for (const line of lines) {
      for (const panel of line)
        builder.withPanel(
          panel
            .id(id++)
            .span(GRID_WIDTH / line.length)
            .height(PANEL_HEIGHT),
        );
    }
  }
}
