import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { emptyDatabase } from '../store/mysql-database.ts';
import { MariaDb } from '../support/mariadb.ts';
import { WecomStandIn } from '../support/wecom.ts';
import { examined } from './examined.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

describe('procmesh doctor, of alerts', { timeout: 60_000 }, () => {
  it('finds it well that nothing is set', async (t) => {
    const { found } = await examined(t, {});
    assert.equal(found.get('alerts'), 'ok, logged only: [MSM] wx_url and webhook_url are not set');
  });

  it('looks at the URLs, says no more of them than the host, and sends nothing', async (t) => {
    const robot = await WecomStandIn.start(t);
    const { found, said } = await examined(t, {
      PROCMESH_MSM_WX_URL: robot.url,
      PROCMESH_MSM_WEBHOOK_URL: 'http://hooks.example.org/secret',
    });
    assert.match(found.get('alerts, WeCom') ?? '', /^ok, 127\.0\.0\.1:\d+$/);
    assert.equal(found.get('alerts, webhook'), 'limited, hooks.example.org, not encrypted, use https:// in [MSM]');
    assert.doesNotMatch(said, /secret|test-key/);
    assert.deepEqual(robot.bodies, []);
  });

  it('fails where the key of the robot is missing', async (t) => {
    const url = 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send';
    const { code, found } = await examined(t, { PROCMESH_MSM_WX_URL: url });
    assert.equal(code, 1);
    assert.match(
      found.get('alerts, WeCom') ?? '',
      /^failed, the address at qyapi\.weixin\.qq\.com has no \?key=…, copy/,
    );
  });

  it('sends a test by each channel when it is asked to', async (t) => {
    const robot = await WecomStandIn.start(t);
    const env = { PROCMESH_MSM_WX_URL: robot.url, PROCMESH_MSM_WEBHOOK_URL: robot.webhookUrl };
    const { code, found } = await examined(t, env, '--alert');
    assert.equal(code, 0);
    assert.equal(found.get('test alert, WeCom'), 'ok, sent and taken');
    assert.equal(found.get('test alert, webhook'), 'ok, sent and taken');
    assert.match(robot.texts[0] ?? '', /Z OK \S+: a test by procmesh doctor --alert: nothing is wrong$/);
    assert.equal(robot.bodies.length, 2);
  });

  it('says what came back where a test was not taken', async (t) => {
    const robot = await WecomStandIn.start(t);
    const url = robot.url.replace(robot.key, 'mistyped-key');
    const { code, found, said } = await examined(t, { PROCMESH_MSM_WX_URL: url }, '--alert');
    assert.equal(code, 1);
    assert.equal(
      found.get('test alert, WeCom'),
      'failed, WeCom refuses the message (errcode 93000, invalid webhook url): check [MSM] wx_url',
    );
    assert.doesNotMatch(said, /mistyped/);
    const nowhere = await examined(t, {}, '--alert');
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.found.get('test alert') ?? '', /^failed, there is nowhere to send it, set \[MSM\] wx_url/);
  });

  it('looks at the rights of the account that agents are given', async (t) => {
    const { address } = await emptyDatabase(mariadb);
    mariadb.script(`CREATE OR REPLACE USER monitor_alert@'127.0.0.1' IDENTIFIED BY 'pass3';`);
    const account = async (password: string, user = 'monitor_alert') => {
      const { found, said } = await examined(t, {
        PROCMESH_MSM_WX_URL: 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x',
        PROCMESH_MONITOR_MYSQL_HOST: '127.0.0.1',
        PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
        PROCMESH_MONITOR_MYSQL_PASS: 'pass2',
        PROCMESH_MONITOR_ALERT_USER: user,
        PROCMESH_MONITOR_ALERT_PASS: password,
      });
      assert.doesNotMatch(said, /pass3|pass-wrong/);
      return found.get('alert account') ?? '';
    };
    const grant = (rights: string) =>
      mariadb.script(`GRANT ${rights} ON dbzz_monitor.tb_monitor_alert_info TO monitor_alert@'127.0.0.1';`);
    assert.match(
      await account('pass-wrong'),
      /^failed, MySQL at .* refuses the user or its password, grant select, insert/,
    );
    grant('select');
    assert.match(
      await account('pass3'),
      /^failed, MySQL at .* does not let this user do that, grant select, insert on/,
    );
    grant('insert');
    assert.equal(await account('pass3'), 'ok, monitor_alert may select from, and insert into, the alerts alone');
    grant('delete');
    assert.match(
      await account('pass3'),
      /^limited, monitor_alert, whose password agents are given, may do more, revoke/,
    );
    assert.match(await account('', ''), /^limited, none: when no server is left, nobody tells, grant select, insert/);
  });
});
