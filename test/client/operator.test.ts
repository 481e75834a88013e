import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import { OperatorClient } from '../../src/client/operator.ts';
import { SUBPROTOCOL } from '../../src/protocol/message.ts';

/** A server that says only what a test has it say, and an operator that connects to it. */
async function opened(t: TestContext) {
  t.mock.method(Math, 'random', () => 0);
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => SUBPROTOCOL });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = new OperatorClient({ url: `ws://127.0.0.1:${port}`, token: 'operator-token' });
  t.after(() => {
    client.close();
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const connection = async () => {
    const [socket, request] = await once(server, 'connection');
    const received: unknown[] = [];
    socket.on('message', (data: Buffer) => received.push(JSON.parse(String(data))));
    return { socket, request, received };
  };
  return { client, connection };
}

describe('operator client', { timeout: 30_000 }, () => {
  it('sends commands to the operators’ path, with their token, also those made before it was connected', async (t) => {
    const { client, connection } = await opened(t);
    assert.equal(client.change({ act: 'add', hosts: ['web-1'] }), 1);
    const connected = connection();
    client.connect();
    const { socket, request, received } = await connected;
    assert.deepEqual([request.url, request.headers.authorization], ['/operate', 'Bearer operator-token']);
    await once(socket, 'message');
    assert.equal(client.change({ act: 'remove', hosts: ['web-2'] }), 2);
    await once(socket, 'message');
    assert.equal(client.steer('pause'), 3);
    await once(socket, 'message');
    assert.deepEqual(received, [
      { type: 'change', id: 1, act: 'add', hosts: ['web-1'] },
      { type: 'change', id: 2, act: 'remove', hosts: ['web-2'] },
      { type: 'steer', id: 3, act: 'pause' },
    ]);
  });

  it('hands over what is answered, and drops what it does not know', async (t) => {
    const { client, connection } = await opened(t);
    const connected = connection();
    client.connect();
    const { socket } = await connected;
    const answers: unknown[] = [];
    client.on('answer', (answer) => answers.push(answer));
    const outcome = { type: 'outcome', id: 1, host: 'web-1', state: 'failed', failure: 'no route' };
    for (const message of [{ type: 'progress', id: 1, host: 'web-1', phase: 'connecting' }, { type: 'news' }, outcome])
      socket.send(JSON.stringify(message));
    socket.send(JSON.stringify({ type: 'done', id: 1 }));
    while (answers.length < 3) await once(client, 'answer');
    assert.deepEqual(answers, [
      { type: 'progress', id: 1, host: 'web-1', phase: 'connecting' },
      outcome,
      { type: 'done', id: 1 },
    ]);
  });

  it('sends nothing twice when the connection is made again', async (t) => {
    const { client, connection } = await opened(t);
    client.change({ act: 'add', hosts: ['web-1'] });
    let connected = connection();
    client.connect();
    const first = await connected;
    await once(first.socket, 'message');
    connected = connection();
    first.socket.terminate();
    const second = await connected;
    client.change({ act: 'remove', hosts: ['web-1'] });
    await once(second.socket, 'message');
    assert.deepEqual(second.received, [{ type: 'change', id: 2, act: 'remove', hosts: ['web-1'] }]);
  });

  it('hangs up on a frame that is none', async (t) => {
    const { client, connection } = await opened(t);
    const connected = connection();
    client.connect();
    const { socket } = await connected;
    socket.send(JSON.stringify({ type: 'outcome', id: 1, host: 'web-1', state: 'unheard of' }));
    assert.equal((await once(socket, 'close'))[0], 4400);
  });
});
