import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { MysqlConfig } from '../config.ts';
import { Problem } from '../problem.ts';
import { MysqlStore } from '../store/mysql.ts';
import { type AdminAccess, initDatabase } from '../store/mysql-migrate.ts';
import { say } from './failure.ts';
import { formatJson } from './json.ts';
import { configure, subCommand } from './options.ts';

interface InitDbOptions {
  config: string;
  user: string;
  passwordFile?: string;
  socket?: string;
  json?: boolean;
}

/** `procmesh init-db`: makes the database of [Monitor], or brings it up to date, with an administrator's account. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand('init-db', 'Makes the database that [Monitor] names, or brings it up to date.')
    .option('--user <name>', 'administrator of MySQL', 'root')
    .option(
      '--password-file <file>',
      "file with the administrator's password (default: MYSQL_PWD, else it is asked for)",
    )
    .option('--socket <path>', 'connect by this socket of this machine')
    .option('--json', 'JSON')
    .parse([...args], { from: 'user' })
    .opts<InitDbOptions>();
  const { mysql } = configure(options);
  if (mysql === undefined)
    throw new Problem(
      'ERR_CONFIG',
      'there is no database to make: set [Monitor] mysql_host, or use the embedded store',
      {
        exitCode: 2,
      },
    );
  let tables: { table: string; done: string }[];
  try {
    tables = await initDatabase(await accessOf(options, mysql), mysql.database, say);
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'ERR_STORE_ACCESS')) throw error;
    const mend =
      'name an administrator with --user, its password with --password-file, or a local socket with --socket';
    throw new Problem('ERR_STORE_ACCESS', `MySQL refuses ${options.user}: ${mend}`, { cause: error });
  }
  // Not before it is done: a reader that closes its end, such as head(1), must not leave half a database.
  if (options.json) process.stdout.write(`${formatJson({ database: mysql.database, tables }, {})}\n`);
  else process.stdout.write(tables.map(({ table, done }) => `${table.padEnd(32)} ${done}\n`).join(''));
  await tryAccount(mysql);
}

async function accessOf({ user, passwordFile, socket }: InitDbOptions, mysql: MysqlConfig): Promise<AdminAccess> {
  const address = socket === undefined ? { host: mysql.host, port: mysql.port } : { socketPath: socket };
  return { ...address, user, password: await passwordOf(user, passwordFile, socket) };
}

/** By a socket the system's own user is often let in without one. */
async function passwordOf(user: string, file: string | undefined, socket: string | undefined): Promise<string> {
  if (file !== undefined) return readPassword(file);
  const { MYSQL_PWD } = process.env;
  if (MYSQL_PWD !== undefined) return MYSQL_PWD;
  if (socket !== undefined || !process.stdin.isTTY || !process.stderr.isTTY) return '';
  process.stderr.write(`password of ${user}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
    const message = `the password file ${file} cannot be read (${code}): name another with --password-file`;
    throw new Problem('ERR_PASSWORD', message, { exitCode: 2, cause });
  }
}

/** The tables are of use only to an account that the server can use. */
async function tryAccount(mysql: MysqlConfig): Promise<void> {
  const store = new MysqlStore(mysql);
  try {
    await store.knownHosts();
  } catch (error) {
    const { user, database } = mysql;
    say(
      `the server's account does not work yet (${error instanceof Error ? error.message : error}); it wants: create user '${user}'@'HOST' identified by 'PASSWORD'; grant select, insert, update, delete on ${database}.* to '${user}'@'HOST';`,
    );
  } finally {
    await store.close();
  }
}
