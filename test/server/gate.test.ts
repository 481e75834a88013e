import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AGENT_PATH, LIVE_PATH, OPERATE_PATH, SUBPROTOCOL } from '../../src/protocol/message.ts';
import { agentToken } from '../../src/server/auth.ts';
import { judge } from '../../src/server/gate.ts';
import { FakeHostList, SECRETS, tokenOf } from '../support/test-server.ts';

function asked(url: string, token: string | undefined, protocol = SUBPROTOCOL) {
  return {
    url,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(protocol !== '' && { 'sec-websocket-protocol': protocol }),
    },
  };
}

/** A mesh with the host `db-1`, whose token has been rotated twice. */
function mesh() {
  const hostList = new FakeHostList();
  hostList.generations.set('db-1', 2).set('gone', undefined);
  return { secrets: SECRETS, hostList };
}

describe('the gate lets in', { timeout: 30_000 }, () => {
  it('an agent with the token of its host, which it may speak for', () => {
    assert.deepEqual(judge(asked(AGENT_PATH, tokenOf('db-1', 2)), mesh()), { role: 'agent', host: 'db-1' });
  });

  it('viewers and operators with their tokens', () => {
    for (const [path, role] of [
      [LIVE_PATH, 'viewer'],
      [OPERATE_PATH, 'operator'],
    ] as const)
      assert.deepEqual(judge(asked(path, SECRETS[role]), mesh()), { role, host: undefined });
  });

  it('who offers the subprotocol among others, whatever the query string', () => {
    const request = asked(`${LIVE_PATH}?x=1`, SECRETS.viewer, `chat, ${SUBPROTOCOL}`);
    assert.deepEqual(judge(request, mesh()), { role: 'viewer', host: undefined });
  });
});

describe('the gate turns away', { timeout: 30_000 }, () => {
  const foreign = agentToken(Buffer.alloc(32), { host: 'db-1', generation: 2 });
  for (const [what, path, token, status, reason] of [
    ['an agent without a token', AGENT_PATH, undefined, 401, 'token'],
    ['an agent with a token of another mesh', AGENT_PATH, foreign, 401, 'token'],
    ['an agent with the viewers’ token', AGENT_PATH, SECRETS.viewer, 401, 'token'],
    ['an agent with the operators’ token', AGENT_PATH, SECRETS.operator, 401, 'token'],
    ['an agent with the secret that tokens are made of', AGENT_PATH, SECRETS.agents.toString(), 401, 'token'],
    ['an agent with a token that is void', AGENT_PATH, tokenOf('db-1', 1), 403, 'generation'],
    ['an agent with a token that was never made', AGENT_PATH, tokenOf('db-1', 4), 403, 'generation'],
    ['an agent of a host that is not listed', AGENT_PATH, tokenOf('gone'), 403, 'host'],
    ['a viewer without a token', LIVE_PATH, undefined, 401, 'token'],
    ['a viewer with an agent’s token', LIVE_PATH, tokenOf('db-1', 2), 401, 'token'],
    ['a viewer with the operators’ token', LIVE_PATH, SECRETS.operator, 401, 'token'],
    ['an operator without a token', OPERATE_PATH, undefined, 401, 'token'],
    ['an operator with an agent’s token', OPERATE_PATH, tokenOf('db-1', 2), 401, 'token'],
    ['an operator with the viewers’ token', OPERATE_PATH, SECRETS.viewer, 401, 'token'],
    ['an unknown path', '/other', SECRETS.viewer, 404, 'path'],
    ['the path of a role with more behind it', `${LIVE_PATH}/x`, SECRETS.viewer, 404, 'path'],
  ] as const)
    it(`${what} with ${status}`, () => {
      const judgement = judge(asked(path, token), mesh());
      assert.ok('status' in judgement);
      assert.deepEqual([judgement.status, judgement.reason], [status, reason]);
      assert.ok(token === undefined || !judgement.message.includes(token));
    });

  it('who does not offer the subprotocol', () => {
    for (const protocol of ['', 'procmesh.v2', `${SUBPROTOCOL}0`])
      for (const request of [asked(LIVE_PATH, SECRETS.viewer, protocol), asked(AGENT_PATH, tokenOf('a'), protocol)]) {
        const judgement = judge(request, mesh());
        assert.ok('status' in judgement);
        assert.deepEqual([judgement.status, judgement.reason], [400, 'subprotocol']);
      }
  });

  it('every agent with 503 while the list could not be read yet, and nobody else', () => {
    const { hostList, secrets } = mesh();
    hostList.isRead = false;
    for (const token of [tokenOf('db-1', 2), tokenOf('db-1', 3), tokenOf('gone')]) {
      const judgement = judge(asked(AGENT_PATH, token), { hostList, secrets });
      assert.ok('status' in judgement);
      assert.deepEqual([judgement.status, judgement.reason], [503, 'unready']);
    }
    assert.deepEqual(hostList.rotations, []);
    const foreigner = judge(asked(AGENT_PATH, foreign), { hostList, secrets });
    assert.ok('status' in foreigner && foreigner.status === 401);
    assert.ok(!('status' in judge(asked(LIVE_PATH, SECRETS.viewer), { hostList, secrets })));
  });

  it('a host that is not listed with a word on how to list it', () => {
    const judgement = judge(asked(AGENT_PATH, tokenOf('gone')), mesh());
    assert.ok('message' in judgement);
    assert.equal(judgement.message, 'gone is not a host of this mesh: procmesh hosts add gone');
  });
});

describe('a token of the next generation', { timeout: 30_000 }, () => {
  it('is let in, and voids the one before', () => {
    const { hostList, secrets } = mesh();
    assert.deepEqual(judge(asked(AGENT_PATH, tokenOf('db-1', 3)), { hostList, secrets }), {
      role: 'agent',
      host: 'db-1',
    });
    assert.deepEqual(hostList.rotations, [['db-1', 3]]);
    assert.ok('status' in judge(asked(AGENT_PATH, tokenOf('db-1', 2)), { hostList, secrets }));
    assert.ok(!('status' in judge(asked(AGENT_PATH, tokenOf('db-1', 3)), { hostList, secrets })));
    assert.equal(hostList.rotations.length, 1);
  });

  it('voids nothing while its bearer is not let in', () => {
    const { hostList, secrets } = mesh();
    judge(asked(AGENT_PATH, tokenOf('db-1', 3), 'procmesh.v2'), { hostList, secrets });
    judge(asked(AGENT_PATH, `${tokenOf('db-1', 3)}x`), { hostList, secrets });
    judge(asked(AGENT_PATH, tokenOf('db-1', 4)), { hostList, secrets });
    assert.deepEqual(hostList.rotations, []);
  });
});
