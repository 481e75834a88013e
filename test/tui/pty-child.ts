import { runTui } from '../../tui/tui.ts';
import { FakeClient } from './fake-client.ts';
import { AT, answerRows, busyHost, hostRow } from './fleet.ts';

/** The terminal UI on a real terminal, fed by nobody; see pty.test.ts. Its argument says how it ends when `!` is typed. */
const endings: { [way: string]: () => void } = {
  SIGTERM: () => process.kill(process.pid, 'SIGTERM'),
  SIGHUP: () => process.kill(process.pid, 'SIGHUP'),
  exit: () => process.exit(0),
  exception: () => {
    throw new Error('an exception on purpose');
  },
};

const client = new FakeClient();
const processes = busyHost('db-01', 60, 0);
client.on('asked', () =>
  setImmediate(() => {
    for (const { query, deliver } of [...client.asked])
      if (query.view === 'hosts') deliver({ type: 'hosts', id: 1, at: AT, rows: [hostRow()] });
      else deliver(answerRows(query, processes));
  }),
);
process.stdin.on('data', (bytes) => {
  if (String(bytes) === '!') endings[process.argv[2] ?? '']?.();
});
setImmediate(() => client.emit('status', { state: 'open' }));
await runTui({ client });
process.stdout.write('back in the shell\n');
