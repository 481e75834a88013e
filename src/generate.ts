import { writeFileSync } from 'node:fs';
import { grafanaJson } from './dashboard/dashboard.ts';
import { initSql } from './store/mysql-schema.ts';
import { SCHEMA_VERSION } from './store/tables.ts';

/** Called by `npm run generate`: writes what lies in `init/` and is made of the catalogues of tables and metrics. */
writeFileSync('init/init.sql', initSql(SCHEMA_VERSION));
writeFileSync('init/grafana.json', grafanaJson());
