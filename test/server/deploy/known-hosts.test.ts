import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KnownHosts } from '../../../src/server/deploy/known-hosts.ts';
import { scratchFolder } from '../../support/scratch.ts';

/** A key as it is written in files and as it comes over the wire. */
function key(type: string, content: string): { text: string; wire: Buffer } {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  const wire = Buffer.concat([length, Buffer.from(type + content)]);
  return { text: `${type} ${wire.toString('base64')}`, wire };
}

const ED = key('ssh-ed25519', 'one');
const OTHER = key('ssh-ed25519', 'two');
const RSA = key('ssh-rsa', 'three');

function knownHosts(
  t: Parameters<typeof scratchFolder>[0],
  lines: string[],
): { known: KnownHosts; file: string; pins: string } {
  const folder = scratchFolder(t);
  const [file, pins] = [join(folder, 'known_hosts'), join(folder, 'data', 'pins')];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return { known: new KnownHosts([file, join(folder, 'absent')], pins), file, pins };
}

test('a key is known by name, address, pattern and port', (t) => {
  const { known } = knownHosts(t, ['# comment', '', `web1,10.0.0.* ${ED.text} a comment`, `[web2]:2200 ${ED.text}`]);
  for (const [host, port] of [
    ['web1', 22],
    ['WEB1', 22],
    ['10.0.0.7', 22],
    ['web2', 2200],
  ] as const)
    assert.deepEqual(known.check(host, port, ED.wire), { is: 'known' }, host);
  for (const [host, port] of [
    ['web2', 22],
    ['web1', 2200],
    ['web3', 22],
  ] as const)
    assert.deepEqual(known.check(host, port, ED.wire), { is: 'unknown' }, host);
});

test('names that ssh-keygen has hashed are found', (t) => {
  const { known, file } = knownHosts(t, [`web1 ${ED.text}`, `[web2]:2200 ${ED.text}`]);
  const real = execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  assert.doesNotMatch(readFileSync(file, 'utf8') + real, /web/);
  assert.deepEqual(known.check('web1', 22, ED.wire), { is: 'known' });
  assert.deepEqual(known.check('web2', 2200, ED.wire), { is: 'known' });
  assert.deepEqual(known.check('web3', 22, ED.wire), { is: 'unknown' });
});

test('another key, even of another kind, is a change at the line that says otherwise', (t) => {
  const { known, file } = knownHosts(t, [`web1 ${RSA.text}`, `web1 ${ED.text}`, '@cert-authority * ssh-rsa AAAA']);
  assert.deepEqual(known.check('web1', 22, OTHER.wire), { is: 'changed', file, line: 2 });
  assert.deepEqual(known.check('web1', 22, key('ecdsa-sha2-nistp256', 'x').wire), { is: 'changed', file, line: 1 });
  assert.deepEqual(known.keyTypes('web1', 22), ['ssh-rsa', 'ssh-ed25519']);
});

test('a revoked key is refused, whoever else knows it', (t) => {
  const { known, file } = knownHosts(t, [`web1 ${ED.text}`, `@revoked * ${ED.text}`]);
  assert.deepEqual(known.check('web1', 22, ED.wire), { is: 'revoked', file, line: 2 });
});

test('a pinned key is known from then on, in a file for its owner alone', (t) => {
  const { known, pins } = knownHosts(t, []);
  known.pin('Web1', 2200, ED.wire);
  known.pin('2001:db8::1', 22, RSA.wire);
  assert.equal(statSync(pins).mode & 0o777, 0o600);
  assert.deepEqual(known.check('web1', 2200, ED.wire), { is: 'known' });
  assert.deepEqual(known.check('2001:db8::1', 22, RSA.wire), { is: 'known' });
  assert.deepEqual(known.check('web1', 2200, OTHER.wire), { is: 'changed', file: pins, line: 1 });
});
