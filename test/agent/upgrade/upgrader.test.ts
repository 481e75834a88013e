import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Manifest } from '../../../src/protocol/release.ts';
import { Host, isWhole, type Made, Mint, NODE, script, seen, sha256, upgradeTo } from './host.ts';

const GUARD = { timeout: 20_000 };

/** As it was before anything was pushed. */
const untouched = (host: Host) => ({
  current: host.first.manifest.hash,
  releases: [host.first.manifest.hash],
  trial: undefined,
  failed: undefined,
  incoming: [],
});

test('receives what it lacks, tests it, and starts it on trial', GUARD, async (t) => {
  const host = new Host(t);
  const second = host.next();
  const { hash } = second.manifest;
  await host.push(upgradeTo(second, 60_001));
  assert.deepEqual(host.told, ['receiving', 'testing', 'starting']);
  assert.deepEqual(host.source.asked, [['agent.mjs', 0]], 'all else is there already');
  assert.deepEqual(host.done, ['SIGUSR1 to 77', 'handed over', 'restart']);
  const { releases, ...others } = seen(host.installation);
  assert.deepEqual(others, {
    current: hash,
    trial: `${hash} ${host.first.manifest.hash} 61 6\n`,
    failed: undefined,
    incoming: [],
  });
  assert.deepEqual(releases.sort(), [hash, host.first.manifest.hash].sort());
  const release = join(host.installation.releases, hash);
  assert.ok(isWhole(host.installation, hash));
  assert.equal(readFileSync(join(release, 'manifest.json'), 'utf8'), second.text);
  assert.equal(readFileSync(join(release, 'manifest.sig'), 'utf8'), second.signature);
  assert.equal(readlinkSync(join(release, 'node')), `../../runtime/${sha256(NODE)}/node`);
  assert.equal(statSync(release).mode & 0o777, 0o700);
});

test('says of itself what it runs', GUARD, async (t) => {
  const host = new Host(t);
  const { hash } = host.first.manifest;
  assert.deepEqual(host.upgrader.release, { hash, serial: 5, architecture: process.arch });
  const second = host.next();
  await host.push(upgradeTo(second));
  const trial = { hash: second.manifest.hash, serial: 6, architecture: process.arch, isOnTrial: true };
  assert.deepEqual(host.start(second).release, trial);
  const own = host.mint.make('own', 9, { 'agent.mjs': '', 'node-options': '' }, undefined);
  assert.equal(host.start(own).release.hasOwnNode, true);
});

test('brings a new runtime in chunks, after what is small', GUARD, async (t) => {
  const host = new Host(t);
  const node = `${script('exit 0')}#${'x'.repeat(100_000)}`;
  const second = host.next('2.0', 6, node);
  await host.push(upgradeTo(second));
  assert.deepEqual(host.source.asked, [
    ['agent.mjs', 0],
    ['node', 0],
    ['node', 32_768],
    ['node', 65_536],
    ['node', 98_304],
  ]);
  const file = join(host.installation.runtimes, sha256(node), 'node');
  assert.equal(readFileSync(file, 'utf8'), node);
  assert.equal(statSync(file).mode & 0o777, 0o700);
  assert.equal(readFileSync(join(host.installation.current, 'node'), 'utf8'), node);
});

test('runs a release without a runtime on the Node.js that runs the one before', GUARD, async (t) => {
  const host = new Host(t);
  const second = host.mint.make('2.0', 6, { 'agent.mjs': '2', 'node-options': '' }, undefined);
  host.source.add(second);
  await host.push(upgradeTo(second));
  assert.equal(readlinkSync(join(host.installation.current, 'node')), `../../runtime/${sha256(NODE)}/node`);
});

const stranger = new Mint();
for (const { title, change, sign, reason } of [
  {
    title: 'is signed by another key',
    sign: (text: string) => stranger.sign(text),
    reason: 'its signature is not one of the release key that is pinned on this host',
  },
  { title: 'is not signed', sign: () => '', reason: /^its signature is not one/ },
  { title: 'was changed after it was signed', sign: (_: string, made: Made) => made.signature, reason: /signature/ },
  {
    title: 'is older than the one that runs',
    change: { serial: 4 },
    reason: 'it is of act 4, and this host already runs the one of 5',
  },
  {
    title: 'is for other machines',
    change: { architecture: 's390x' },
    reason: `it is for machines of kind s390x, and this one is ${process.arch}`,
  },
  {
    title: 'leads out of its folder',
    change: files('../../agent.mjs'),
    reason: /^its manifest is not valid: files\.2/,
  },
  { title: 'is absolute', change: files('/etc/passwd'), reason: /^its manifest is not valid: files\.2\.path/ },
  { title: 'hides its way out', change: files('a/../../b'), reason: /^its manifest is not valid/ },
  {
    title: 'gives itself a runtime',
    change: files('node'),
    reason: 'its manifest names node, which is no file of a release',
  },
  { title: 'names a file twice', change: files('agent.mjs'), reason: 'its manifest names a file twice' },
  { title: 'has nothing to run', change: { files: files('x').files.slice(1) }, reason: 'its manifest lacks agent.mjs' },
  { title: 'is no manifest', change: { files: [] }, reason: /^its manifest is not valid: files/ },
] as {
  title: string;
  change?: Partial<Manifest>;
  sign?: (text: string, made: Made) => string;
  reason: string | RegExp;
}[]) {
  test(`takes no release that ${title}, and says so`, GUARD, async (t) => {
    const host = new Host(t);
    const second = host.next();
    const text = JSON.stringify({ ...second.manifest, version: 'changed', ...change });
    const signature = (sign ?? host.mint.sign.bind(host.mint))(text, second);
    const said = (await host.push({ type: 'upgrade', manifest: text, signature, trialMs: 1_000 })) ?? '';
    const told = said.replace(/^failed: /, '');
    if (typeof reason === 'string') assert.equal(told, reason);
    else assert.match(told, reason);
    assert.deepEqual([seen(host.installation), host.done], [untouched(host), []]);
  });
}

function files(third: string): { files: Manifest['files'] } {
  return { files: ['agent.mjs', 'node-options', third].map((path) => ({ path, bytes: 1, sha256: sha256(path) })) };
}

for (const text of ['{"serial":', '[]', '{"serial":"6"}', '{"serial":0}']) {
  test(`takes nothing that names no act: ${text}`, GUARD, async (t) => {
    const host = new Host(t);
    const trouble = once(host.upgrader, 'trouble');
    host.upgrader.upgrade({ type: 'upgrade', manifest: text, signature: host.mint.sign(text), trialMs: 1_000 });
    await trouble;
    assert.deepEqual([host.troubles, host.sent], [['a release is pushed whose manifest says no act'], []]);
    assert.deepEqual(seen(host.installation), untouched(host));
  });
}

test('takes nothing without a launcher that would take it back', GUARD, async (t) => {
  const host = new Host(t);
  host.start(host.first, { launcherPid: () => undefined });
  const gone = 'its launcher is gone: where neither systemd nor cron starts one again, have this host deployed again';
  assert.equal(await host.push(upgradeTo(host.next())), `failed: ${gone}`);
  assert.deepEqual(seen(host.installation), untouched(host));
});

for (const left of [1, 2])
  test(`starts nothing when its launcher goes meanwhile, after being seen ${left} times`, GUARD, async (t) => {
    const host = new Host(t);
    const pids = Array.from({ length: left }, () => 77);
    host.start(host.first, { launcherPid: () => pids.shift() });
    assert.match((await host.push(upgradeTo(host.next()))) ?? '', /^failed: its launcher is gone/);
    const { current, trial } = seen(host.installation);
    assert.deepEqual([current, trial], [host.first.manifest.hash, undefined]);
    assert.deepEqual(host.done, []);
  });

test('says of what it runs already that it does', GUARD, async (t) => {
  const host = new Host(t);
  assert.equal(await host.push(upgradeTo(host.first)), 'confirmed');
  const again = host.mint.make('1.0', 6, { 'agent.mjs': 'one', 'node-options': '' }, NODE);
  host.told.length = 0;
  assert.equal(await host.push(upgradeTo(again)), 'confirmed');
  assert.deepEqual(seen(host.installation), untouched(host));
});

for (const { title, node, reason } of [
  {
    title: 'ends with an error of ours',
    node: script('echo warning: x >&2; echo "procmesh: no server is reached (a:1: nothing listens there)" >&2; exit 1'),
    reason: 'its self-test fails: no server is reached (a:1: nothing listens there)',
  },
  {
    title: 'crashes when it is loaded',
    node: `#!${process.execPath}\nthrow new TypeError('nonsense');\n`,
    reason: 'its self-test fails: TypeError: nonsense',
  },
  { title: 'says nothing', node: script('exit 3'), reason: 'its self-test fails: it ends with 3' },
  { title: 'is killed', node: script('kill -9 $$'), reason: 'its self-test fails: it ends with SIGKILL' },
  { title: 'cannot be run', node: '#!/nowhere/sh\n', reason: /^spawn .* ENOENT$/ },
] as { title: string; node: string; reason: string | RegExp }[]) {
  test(`goes on as it is when the self-test of a release ${title}`, GUARD, async (t) => {
    const host = new Host(t);
    const told = (await host.push(upgradeTo(host.next('2.0', 6, node))))?.replace(/^failed: /, '') ?? '';
    if (typeof reason === 'string') assert.equal(told, reason);
    else assert.match(told, reason);
    const { current, trial } = seen(host.installation);
    assert.deepEqual([current, trial, host.done], [host.first.manifest.hash, undefined, []]);
  });
}

test('runs the self-test of the new release as it would be run', GUARD, async (t) => {
  const host = new Host(t);
  const { folder, releases } = host.installation;
  const second = host.next('2.0', 6, script(`echo "$0 $* in $PWD" >${folder}/said`));
  await host.push(upgradeTo(second));
  const release = join(releases, second.manifest.hash);
  const args = `--no-opt ${release}/agent.mjs --deployed ${folder} --self-test`;
  assert.equal(readFileSync(join(folder, 'said'), 'utf8'), `${release}/node ${args} in ${folder}\n`);
});

test('does not wait for a self-test for ever', GUARD, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const host = new Host(t);
  const tested = new Promise<void>((resolve) => {
    host.upgrader.on('upgraded', ({ state }) => state === 'testing' && setImmediate(resolve));
  });
  host.upgrader.upgrade(upgradeTo(host.next('2.0', 6, script('exec sleep 1000'))));
  await tested;
  t.mock.timers.tick(20_000);
  assert.equal(await host.end(), 'failed: its self-test is not over after 20 s');
});

test('gives up a release in the middle of its self-test when it is told to', GUARD, async (t) => {
  const host = new Host(t);
  host.upgrader.on('upgraded', ({ state }) => {
    if (state === 'testing') setImmediate(() => void host.upgrader.revert(6, 'the rollout is halted'));
  });
  const told = await host.push(upgradeTo(host.next('2.0', 6, script('exec sleep 1000'))));
  assert.equal(told, 'failed: the rollout is halted');
});

test('has nothing against a release whose self-test is ended together with the agent', GUARD, async (t) => {
  const host = new Host(t);
  const { folder } = host.installation;
  host.upgrader.upgrade(upgradeTo(host.next('2.0', 6, script(`echo $$ >${folder}/pid; kill $$`))));
  const pid = (): string => (existsSync(join(folder, 'pid')) ? readFileSync(join(folder, 'pid'), 'utf8').trim() : '');
  while (pid() === '') await new Promise(setImmediate);
  const child = join('/proc', pid());
  // Once it is reaped, its end has been heard of.
  while (existsSync(child)) await new Promise(setImmediate);
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  host.upgrader.close();
  await new Promise(setImmediate);
  assert.deepEqual(host.told, ['receiving', 'testing']);
});

test('says of a release that its self-test alone was ended', GUARD, async (t) => {
  const host = new Host(t);
  const told = await host.push(upgradeTo(host.next('2.0', 6, script('kill $$'))));
  assert.equal(told, 'failed: its self-test fails: it ends with SIGTERM');
});

test('goes on as it is when it cannot hand over', GUARD, async (t) => {
  const host = new Host(t);
  host.handOver = async () => {
    throw new Error('the disk is slow');
  };
  assert.equal(await host.push(upgradeTo(host.next())), 'failed: the disk is slow');
  const { current, trial } = seen(host.installation);
  assert.deepEqual([current, trial, host.done], [host.first.manifest.hash, undefined, ['SIGUSR1 to 77']]);
});

/** The second release on trial, as an agent that has just started finds it. */
async function onTrial(t: TestContext) {
  const host = new Host(t);
  const second = host.next();
  await host.push(upgradeTo(second));
  host.start(second);
  host.done.length = host.told.length = host.sent.length = 0;
  return { host, second };
}

test('stays when it is confirmed, and keeps the one before', GUARD, async (t) => {
  const { host, second } = await onTrial(t);
  await host.upgrader.confirm(6);
  assert.deepEqual(host.sent, [{ type: 'upgraded', serial: 6, state: 'confirmed' }]);
  assert.deepEqual(host.upgrader.release, { hash: second.manifest.hash, serial: 6, architecture: process.arch });
  const { current, trial, releases } = seen(host.installation);
  assert.deepEqual([current, trial, releases.length], [second.manifest.hash, undefined, 2]);
  // The next one drops the first, and the runtime that nothing runs on any more.
  const third = host.next('3.0', 7, script('exit  0'));
  await host.push(upgradeTo(third));
  assert.equal(seen(host.installation).releases.length, 3);
  host.start(third);
  await host.upgrader.confirm(7);
  const hashes = [second, third].map(({ manifest }) => manifest.hash);
  assert.deepEqual(seen(host.installation).releases.sort(), hashes.sort());
  assert.ok(hashes.every((hash) => isWhole(host.installation, hash)));
  const fourth = host.next('4.0', 8, script('exit  0'));
  host.done.length = 0;
  await host.push(upgradeTo(fourth));
  host.start(fourth);
  await host.upgrader.confirm(8);
  assert.equal(statSync(join(host.installation.runtimes, sha256(NODE)), { throwIfNoEntry: false }), undefined);
});

test('says again that it was confirmed, and hears no confirmation of another one', GUARD, async (t) => {
  const { host } = await onTrial(t);
  await host.upgrader.confirm(5);
  assert.notEqual(seen(host.installation).trial, undefined);
  await host.upgrader.confirm(6);
  await host.upgrader.confirm(6);
  assert.deepEqual(host.told, ['confirmed', 'confirmed']);
});

test('goes back when it is told to, and says why ever after', GUARD, async (t) => {
  const { host } = await onTrial(t);
  await host.upgrader.revert(5, 'of another act');
  assert.deepEqual(host.done, []);
  await host.upgrader.revert(6, 'it uses\n100 % CPU');
  assert.deepEqual(host.done, ['handed over', 'restart']);
  const { current, trial, failed } = seen(host.installation);
  const { hash } = host.first.manifest;
  assert.deepEqual([current, trial], [hash, undefined]);
  assert.equal(failed, `${sha256('2.0')} ${hash} 60 6\nit uses 100 % CPU\n`);
  const reason = { serial: 6, reason: 'it uses 100 % CPU' };
  assert.deepEqual(host.start(host.first).release.failed, reason);
  // Until another one is tried.
  host.done.length = 0;
  await host.push(upgradeTo(host.next('2.1', 7)));
  assert.equal(seen(host.installation).failed, undefined);
});

test('goes back even when it cannot hand over, and not to what is not there', GUARD, async (t) => {
  const { host, second } = await onTrial(t);
  const agent = join(host.installation.releases, host.first.manifest.hash, 'agent.mjs');
  renameSync(agent, `${agent}.away`);
  await host.upgrader.revert(6, 'no');
  assert.deepEqual(host.troubles, ['the release before is not there any more']);
  assert.equal(seen(host.installation).current, second.manifest.hash);
  renameSync(`${agent}.away`, agent);
  host.handOver = async () => {
    throw new Error('the disk is slow');
  };
  await host.upgrader.revert(6, 'no');
  assert.deepEqual([host.done, host.troubles[1]], [['restart'], 'the disk is slow']);
});

test('takes the same release again after it went back from it, and an older one by a newer act', GUARD, async (t) => {
  const { host, second } = await onTrial(t);
  await host.upgrader.revert(6, 'no');
  host.start(host.first);
  host.done.length = host.source.asked.length = 0;
  const again = host.next('2.0', 7);
  await host.push(upgradeTo(again));
  assert.deepEqual(host.source.asked, [], 'it is all there still');
  assert.equal(readFileSync(join(host.installation.current, 'manifest.json'), 'utf8'), again.text);
  assert.equal(again.manifest.hash, second.manifest.hash);
  host.start(again);
  await host.upgrader.confirm(7);
  const back = host.mint.make('1.0', 8, Object.fromEntries(host.first.files), NODE);
  host.done.length = 0;
  await host.push(upgradeTo(back));
  assert.deepEqual([host.source.asked, seen(host.installation).current], [[], host.first.manifest.hash]);
  assert.equal(JSON.parse(readFileSync(join(host.installation.current, 'manifest.json'), 'utf8')).serial, 8);
});

test('waits with another release until the trial is over', GUARD, async (t) => {
  const { host } = await onTrial(t);
  host.upgrader.upgrade(upgradeTo(host.next('3.0', 7)));
  assert.deepEqual(host.told, []);
  await host.upgrader.confirm(6);
  await host.end();
  while (!host.done.includes('restart')) await once(host.upgrader, 'restart');
  assert.deepEqual(host.told, ['confirmed', 'receiving', 'testing', 'starting']);
});

test('forgets a release that waits for the end of a trial when it is told to', GUARD, async (t) => {
  const { host } = await onTrial(t);
  host.upgrader.upgrade(upgradeTo(host.next('3.0', 7)));
  await host.upgrader.revert(7, 'the rollout is halted');
  await host.upgrader.confirm(6);
  assert.deepEqual(host.told, ['confirmed']);
});

test('keeps no releases that came to nothing but the last one', GUARD, async (t) => {
  const host = new Host(t);
  const fails = script('exit 1');
  for (const [version, serial] of [
    ['2.1', 6],
    ['2.2', 7],
    ['2.3', 8],
  ] as const) {
    await host.push(upgradeTo(host.next(version, serial, `${fails}# ${version}`)));
    host.told.length = 0;
  }
  assert.deepEqual(seen(host.installation).releases.sort(), [sha256('1.0'), sha256('2.3')].sort());
  assert.equal(readdirSync(host.installation.runtimes).length, 2);
});

test('holds up nothing while it hashes and receives much', GUARD, async (t) => {
  const host = new Host(t);
  const node = Buffer.concat([Buffer.from(`${NODE}#`), Buffer.alloc(8_000_000, 'x')]);
  const second = host.mint.make('2.0', 6, { 'agent.mjs': '2', 'node-options': '' }, node);
  host.source.add(second);
  let turns = 0;
  const count = setInterval(() => {
    turns += 1;
  }, 1);
  await host.push(upgradeTo(second));
  clearInterval(count);
  assert.ok(turns > 10, `${turns} turns of the loop`);
});

test('throws away what is half-made of an earlier attempt', GUARD, async (t) => {
  const host = new Host(t);
  const second = host.next();
  const left = join(host.installation.releases, `${second.manifest.hash}.partial`);
  mkdirSync(left);
  writeFileSync(join(left, 'left'), randomBytes(10));
  await host.push(upgradeTo(second));
  assert.equal(statSync(join(host.installation.current, 'left'), { throwIfNoEntry: false }), undefined);
  assert.ok(isWhole(host.installation, second.manifest.hash));
});
