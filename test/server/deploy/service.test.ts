import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { launcherScript } from '../../../src/server/deploy/launcher.ts';
import {
  addCronLines,
  agentUnit,
  isPlainPath,
  keeperScript,
  removeCronLines,
} from '../../../src/server/deploy/service.ts';

const INSTALLATION = { folder: '/opt/procmesh' };
const OURS =
  '* * * * * /opt/procmesh/keep-running # procmesh-agent\n@reboot /opt/procmesh/keep-running start # procmesh-agent\n';

test('a crontab gets two lines at its end and loses just these', () => {
  for (const theirs of [
    '',
    'A=1\n',
    '\n\n# c\n0 4 * * * /x % y\n',
    '* * * * * /opt/procmesh/other # procmesh-agents\n',
  ]) {
    const added = addCronLines(theirs, INSTALLATION);
    assert.equal(added, theirs + OURS);
    assert.equal(addCronLines(added, INSTALLATION), added);
    assert.equal(removeCronLines(added), theirs);
    assert.equal(removeCronLines(theirs), theirs);
  }
});

test('lines of ours among theirs are taken out wherever they are', () => {
  assert.equal(removeCronLines(`a\n${OURS}b\r\n`), 'a\nb\r\n');
  assert.equal(addCronLines('last without an end', INSTALLATION), `last without an end\n${OURS}`);
});

test('the unit in init/ is what is installed', () => {
  const file = new URL('../../../init/procmesh-agent.service', import.meta.url);
  assert.equal(readFileSync(file, 'utf8'), agentUnit(INSTALLATION));
});

test('the unit hides nothing of the machine from the agent', () => {
  assert.doesNotMatch(agentUnit(INSTALLATION), /^(Protect|Private|Inaccessible|Hide|DynamicUser|User=)/m);
});

test('keeper and launcher are scripts of any shell', () => {
  for (const script of [keeperScript(INSTALLATION), launcherScript(INSTALLATION)])
    for (const shell of ['dash', 'bash']) execFileSync(shell, ['-n'], { input: script });
});

test('paths that mean something to a shell, a unit or a crontab are not plain', () => {
  for (const path of ['/opt/procmesh', '/usr/bin/node', '/home/a.b/x_1-2+3'])
    assert.equal(isPlainPath(path), true, path);
  for (const path of [
    '',
    '/',
    'opt',
    '/opt/',
    '/a b',
    '/a%b',
    "/a'b",
    '/a/../b',
    '/a/.',
    '/a//b',
    '/a$b',
    '/a\nb',
    '/-/é',
  ])
    assert.equal(isPlainPath(path), false, path);
});
