import { fork } from 'node:child_process';
import { createServer, type Socket } from 'node:net';

/** Accepts connections and passes each on to a worker process, which says back whatever it hears. Says the worker's pid and its port. */
if (process.argv[2] === 'worker') {
  process.on('message', (_, socket) => (socket as Socket).pipe(socket as Socket));
} else {
  const worker = fork(import.meta.filename, ['worker']);
  const server = createServer({ pauseOnConnect: true }, (socket) => worker.send('yours', socket)).listen(
    0,
    '127.0.0.1',
  );
  server.on('listening', () => {
    const address = server.address();
    process.stdout.write(`${worker.pid} ${typeof address === 'object' ? address?.port : ''}\n`);
  });
  process.stdin.on('end', () => process.exit()).resume();
}
