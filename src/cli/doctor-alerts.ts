import type { Finding } from '../agent/abilities.ts';
import { openChannels } from '../alert-channel/open.ts';
import type { AlertConfig, Config, MysqlConfig } from '../config.ts';
import { Problem } from '../problem.ts';
import { examineAlertAccount } from '../store/mysql-alert-account.ts';

/** Whether alerts reach people, as far as settings tell. */
export async function alertFindings({ alerts, mysql }: Config): Promise<Finding[]> {
  const set = [...wecom(alerts), ...webhook(alerts)];
  if (set.length === 0)
    return [{ check: 'alerts', state: 'ok', found: 'logged only: [MSM] wx_url and webhook_url are not set' }];
  return [...set, ...(mysql === undefined ? [] : [await account(mysql)])];
}

/** Sends a word by each channel that is set, and says what became of it. */
export async function testAlerts({ alerts }: Config, host: string): Promise<Finding[]> {
  const channels = openChannels(alerts);
  if (channels.length === 0) {
    const mend = 'set [MSM] wx_url to the address of a WeCom group robot, or webhook_url';
    return [{ check: 'test alert', state: 'failed', found: 'there is nowhere to send it', mend }];
  }
  const remarks = 'a test by procmesh doctor --alert: nothing is wrong';
  const notice = { host, kind: 'test', istate: 0, remarks, atMs: Date.now() } as const;
  return Promise.all(
    channels.map(async (channel): Promise<Finding> => {
      const check = `test alert, ${channel.name}`;
      try {
        await channel.tell([notice], 0, new AbortController().signal);
        return { check, state: 'ok', found: 'sent and taken' };
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return { check, state: 'failed', found: error.message };
      }
    }),
  );
}

function wecom({ wecomUrl }: AlertConfig): Finding[] {
  if (wecomUrl === '') return [];
  const url = new URL(wecomUrl);
  const check = 'alerts, WeCom';
  if (url.searchParams.get('key')) return [{ check, ...encrypted(url) }];
  const mend = 'copy the whole address of the group robot into [MSM] wx_url';
  return [{ check, state: 'failed', found: `the address at ${url.host} has no ?key=…`, mend }];
}

function webhook({ webhookUrl }: AlertConfig): Finding[] {
  return webhookUrl === '' ? [] : [{ check: 'alerts, webhook', ...encrypted(new URL(webhookUrl)) }];
}

/** Never the whole URL: what follows the host is a secret. */
function encrypted({ protocol, host, hostname }: URL): Pick<Finding, 'state' | 'found' | 'mend'> {
  if (protocol === 'https:' || /^(localhost|127\..*|\[::1\])$/.test(hostname)) return { state: 'ok', found: host };
  return { state: 'limited', found: `${host}, not encrypted`, mend: 'use https:// in [MSM]' };
}

async function account({ alertAccount, host, port, database }: MysqlConfig): Promise<Finding> {
  const check = 'alert account';
  const table = `${database}.tb_monitor_alert_info`;
  if (alertAccount === undefined) {
    const found = 'none: when no server is left, nobody tells';
    const mend = `grant select, insert on ${table} to an account, and set [Monitor] alert_user and alert_pass`;
    return { check, state: 'limited', found, mend };
  }
  const { user } = alertAccount;
  try {
    const { mayDoMore } = await examineAlertAccount({ ...alertAccount, host, port, database });
    if (!mayDoMore) return { check, state: 'ok', found: `${user} may select from, and insert into, the alerts alone` };
    const mend = `revoke what ${user} has, and grant select, insert on ${table} alone`;
    return { check, state: 'limited', found: `${user}, whose password agents are given, may do more`, mend };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const mend = `grant select, insert on ${table} to ${user}, and check [Monitor] alert_user and alert_pass`;
    return { check, state: 'failed', found: error.message.replace(/: .*/, ''), mend };
  }
}
