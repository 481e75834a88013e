import { RSHOST, type Table } from './table.ts';

/** What procmesh notes beside `HOST_CONFIG`; stays when a host is taken out of the list, so that its old tokens stay void. */
export const HOST_DETAIL: Table = {
  name: 'tb_monitor_host_detail',
  comment: 'what is being done with the hosts of tb_monitor_host_config, and where their agents are',
  columns: [
    RSHOST,
    { name: 'phase', kind: 'text', optional: true, comment: 'what is being done with it' },
    { name: 'failure', kind: 'text', optional: true, comment: 'why the last attempt failed' },
    { name: 'attempts', kind: 'whole', optional: true, comment: 'attempts in a row that failed' },
    { name: 'is_deployed', kind: 'whole', optional: true, comment: '1: an agent was deployed there' },
    { name: 'token_generation', kind: 'whole', optional: true, comment: 'older tokens are void' },
    { name: 'server', kind: 'name', optional: true, comment: 'that its agent is, or was last, connected to' },
    { name: 'disconnected', kind: 'epochMs', optional: true, comment: 'since when it is not, ms since 1970' },
    { name: 'version', kind: 'name', optional: true, comment: 'of its agent' },
    { name: 'agent_release', kind: 'name', optional: true, comment: 'hash of what its agent runs' },
    { name: 'wanted', kind: 'whole', optional: true, comment: 'id of the release that it is to run' },
    { name: 'upgrade', kind: 'name', optional: true, comment: 'how far it is with that' },
    { name: 'upgrade_failure', kind: 'text', optional: true, comment: 'why that failed' },
  ],
  key: ['rshost'],
};

export const SERVER: Table = {
  name: 'tb_monitor_server',
  comment: 'servers of this mesh',
  columns: [
    { name: 'name', kind: 'name', comment: 'server' },
    { name: 'url', kind: 'name', comment: 'where agents reach it' },
    { name: 'beat', kind: 'epochMs', comment: 'its last sign of life, ms since 1970' },
  ],
  key: ['name'],
};

export const LEASE: Table = {
  name: 'tb_monitor_lease',
  comment: 'duties that one server does for all',
  columns: [
    { name: 'name', kind: 'name', comment: 'duty' },
    { name: 'holder', kind: 'name', comment: 'server that does it' },
    { name: 'expires', kind: 'epochMs', comment: 'when another may take it, ms since 1970' },
  ],
  key: ['name'],
};
