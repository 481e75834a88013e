import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readFleet } from '../../src/cli/doctor-fleet.ts';
import { meshFindings } from '../../src/cli/doctor-servers.ts';
import { loadConfig } from '../../src/config.ts';
import type { Certificate } from '../../src/server/certificate.ts';
import { ISTATE } from '../../src/store/fleet.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { makeAuthority, makeCertificate } from '../support/certificates.ts';
import { freePort, launch } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openServer, SECRETS, type TestServer } from '../support/test-server.ts';
import { examined } from './examined.ts';

const CONFIG = fileURLToPath(new URL('../../conf/config.ini', import.meta.url));
const LISTED = { rshost: 'root@web-1:22', host: 'web-1', generation: 3 };

interface Machine {
  dataDir: string;
  /** Where its own server would listen. */
  port: number;
  certificate: Certificate;
}

/** A machine with everything that a server of the mesh has, but no server that runs. */
async function machine(t: TestContext, certificate?: Certificate): Promise<Machine> {
  const dataDir = scratchFolder(t);
  const own = certificate ?? (await makeCertificate());
  const files = {
    ...{ 'server.crt': own.cert, 'server.key': own.key, 'agents.secret': SECRETS.agents.toString('base64url') },
    ...{ 'viewer.token': `${SECRETS.viewer}\n`, 'operator.token': `${SECRETS.operator}\n` },
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dataDir, name), text);
  const store = await openSqliteStore(join(dataDir, 'procmesh.db'));
  await store.fleet.list(['db-1'], ISTATE.offline);
  await store.fleet.list([LISTED.rshost], ISTATE.running);
  await store.fleet.note(LISTED.rshost, { tokenGeneration: LISTED.generation });
  await store.close();
  return { dataDir, port: await freePort(), certificate: own };
}

/** Another server of that mesh, and what it says of who comes. */
async function other(t: TestContext, certificate: Certificate): Promise<{ server: TestServer; heard: string[] }> {
  const server = await openServer(t, { certificate });
  server.hostList.generations.set(LISTED.host, LISTED.generation);
  const heard: string[] = [];
  server.server.on('refused', (_, message) => heard.push(message));
  server.server.on('connected', (host) => heard.push(`${host} connected`));
  return { server, heard };
}

/** Of a machine, with its own server as the first of the list. */
function settings({ dataDir, port }: Machine, servers: readonly string[]): NodeJS.ProcessEnv {
  return {
    PROCMESH_GLOBAL_DATA_DIR: dataDir,
    PROCMESH_SERVER_LISTEN: String(port),
    PROCMESH_SERVER_SERVERS: [`wss://127.0.0.1:${port}`, ...servers].join(','),
  };
}

/** What is found of servers alone, `state, found, mend` by check. */
async function findings(own: Machine, servers: string[], env: NodeJS.ProcessEnv = {}): Promise<Map<string, string>> {
  const { config } = loadConfig(CONFIG, { ...settings(own, servers), ...env });
  const found = await meshFindings(config, readFleet(config));
  return new Map(
    found.map(({ check, state, found, mend }) => [check, [state, found, ...(mend ? [mend] : [])].join(', ')]),
  );
}

describe('procmesh doctor, of other servers', { concurrency: 2, timeout: 240_000 }, () => {
  it('finds one well that has the same certificate and secrets, which notes and refuses nothing', async (t) => {
    const own = await machine(t);
    const { server, heard } = await other(t, own.certificate);
    const { found } = await examined(t, settings(own, [server.url]));
    assert.equal(found.get(`server 127.0.0.1:${server.port}`), 'ok, srv-1 has the same certificate and secrets');
    assert.equal(found.has(`server 127.0.0.1:${own.port}`), false);
    assert.deepEqual([heard, server.hostList.rotations], [[], []]);
    for (const name of ['procmesh_agents', 'procmesh_viewers', 'procmesh_bad_frames_total'])
      assert.equal(await server.metric(name), 0, name);
  });

  for (const name of ['viewer.token', 'operator.token', 'agents.secret'])
    it(`names ${name} where it is another one there, and how to mend it`, async (t) => {
      const own = await machine(t);
      const { server } = await other(t, own.certificate);
      const file = join(own.dataDir, name);
      writeFileSync(file, `${'other'.repeat(9)}\n`);
      const first = `wss://127.0.0.1:${own.port}`;
      assert.equal(
        (await findings(own, [server.url])).get(`server 127.0.0.1:${server.port}`),
        `failed, srv-1 has another ${name} than this machine, copy ${file} of ${first} to ${server.url}, then restart that server`,
      );
    });

  it('has this machine take the files of the first server', async (t) => {
    const own = await machine(t);
    const { server } = await other(t, own.certificate);
    const files = ['viewer.token', 'operator.token'].map((name) => join(own.dataDir, name));
    for (const file of files) writeFileSync(file, 'x'.repeat(43));
    const servers = [server.url, `wss://127.0.0.1:${own.port}`].join(',');
    const found = await findings(own, [], { PROCMESH_SERVER_SERVERS: servers });
    assert.equal(
      found.get(`server 127.0.0.1:${server.port}`),
      `failed, srv-1 has another viewer.token, another operator.token than this machine, copy ${files.join(' and ')} of ${server.url} to this machine, then restart this server`,
    );
  });

  it('names the certificate where it is another one there, and how to mend it', async (t) => {
    const own = await machine(t);
    const { server } = await other(t, await makeCertificate());
    const found = (await findings(own, [server.url])).get(`server 127.0.0.1:${server.port}`) ?? '';
    assert.match(found, /^failed, its certificate is not the pinned one but ([0-9A-F]{2}:){31}[0-9A-F]{2}, copy /);
    const [cert, key] = [join(own.dataDir, 'server.crt'), join(own.dataDir, 'server.key')];
    assert.match(found, new RegExp(`copy ${cert} and ${key} of wss://127.0.0.1:${own.port} to ${server.url}, then`));
  });

  it("trusts one by its certificate's authority, as agents do", async (t) => {
    const authority = await makeAuthority();
    const folder = scratchFolder(t);
    const certificates = [await makeCertificate({ authority }), await makeCertificate({ authority })] as const;
    const own = await machine(t, certificates[0]);
    const { server } = await other(t, certificates[1]);
    writeFileSync(join(folder, 'ca.pem'), authority.cert);
    const tls = ['server.crt', 'server.key'].map((name) => join(own.dataDir, name)).join(',');
    const env = {
      ...settings(own, [server.url]),
      PROCMESH_SERVER_TLS: tls,
      NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
    };
    const check = `server 127.0.0.1:${server.port}`;
    const { found } = await examined(t, env);
    assert.equal(found.get(check), 'ok, srv-1 has the same secrets');
    const distrusted = await findings(own, [server.url], { PROCMESH_SERVER_TLS: tls });
    assert.match(distrusted.get(check) ?? '', /^failed, its certificate is signed by no authority/);
  });

  it('tells one that does not know the hosts of this machine', async (t) => {
    const own = await machine(t);
    const { server } = await other(t, own.certificate);
    server.hostList.generations.set(LISTED.host, undefined);
    assert.equal(
      (await findings(own, [server.url])).get(`server 127.0.0.1:${server.port}`),
      'failed, srv-1 does not know web-1, which is listed here, set [Monitor] mysql_host and mysql_db to the same on all servers',
    );
  });

  it('says why one cannot be reached, all of them within the same two seconds', async (t) => {
    const own = await machine(t);
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const found = await findings(own, ['wss://127.0.0.1:2', `wss://127.0.0.1:${port}`, 'wss://nowhere.invalid:9300']);
    assert.match(found.get('server 127.0.0.1:2') ?? '', /^failed, cannot be reached: nothing listens there, start it/);
    assert.match(found.get(`server 127.0.0.1:${port}`) ?? '', /^failed, cannot be reached: it does not answer, /);
    assert.match(
      found.get('server nowhere.invalid:9300') ?? '',
      /^failed, cannot be reached: the host name is not known, /,
    );
  });

  it('tells what is no URL, and one that agents would not connect to', async (t) => {
    const own = await machine(t);
    const found = await findings(own, ['10.0.0.5:9300', 'ws://10.0.0.6:9300']);
    assert.match(found.get('server 10.0.0.5:9300') ?? '', /^failed, this is no URL of a server, write it as wss:/);
    assert.match(
      found.get('server 10.0.0.6:9300') ?? '',
      /^failed, agents do not connect to it: .*, write it as wss:\/\/10\.0\.0\.6:9300 in/,
    );
  });

  it('says that this server is not in the list, and that several need one MySQL', async (t) => {
    const own = await machine(t);
    const { server } = await other(t, own.certificate);
    const unlisted = await findings(own, [], { PROCMESH_SERVER_SERVERS: server.url });
    assert.equal(
      unlisted.get('servers'),
      `limited, this server is not in [SERVER] servers: agents are not told of it, add it there on every server, as wss://${hostname()}:${own.port}`,
    );
    const several = await findings(own, [server.url]);
    assert.match(several.get('servers') ?? '', /^failed, there are several, and each has a store of its own, set/);
  });

  it('compares nothing before there are secrets here', async (t) => {
    const own = { ...(await machine(t)), dataDir: scratchFolder(t) };
    const found = await findings(own, [], { PROCMESH_SERVER_SERVERS: 'wss://127.0.0.1:2' });
    assert.match(
      found.get('servers') ?? '',
      /^limited, the others are not tried: the server's certificate .* cannot be read \(ENOENT\), start this server, or first copy agents\.secret/,
    );
  });

  it('knows this server by its name where the list names a way over something between', async (t) => {
    const dataDir = scratchFolder(t);
    const env = { PROCMESH_GLOBAL_DATA_DIR: dataDir, PROCMESH_SERVER_LISTEN: '127.0.0.1:0' };
    const { port } = await launch(t, ['server'], env, 'ipc').ready();
    const between = createServer((socket) => {
      const beyond = connect(port, '127.0.0.1');
      socket.pipe(beyond).pipe(socket);
      socket.on('error', () => beyond.destroy());
      beyond.on('error', () => socket.destroy());
    }).listen(0, '127.0.0.1');
    t.after(() => between.close());
    await once(between, 'listening');
    const url = `wss://127.0.0.1:${(between.address() as AddressInfo).port}`;
    // It listens on port 0, as its name has it.
    const { found } = await examined(t, { ...env, PROCMESH_SERVER_SERVERS: url });
    assert.deepEqual(
      [...found.keys()].filter((check) => check.startsWith('server ') || check === 'servers'),
      [],
    );
  });
});
