import { connect, createServer, type Socket } from 'node:net';

/** Passes TCP connections on to HOST PORT, everything so many ms later each way: `late-relay.ts HOST PORT MS`. Says its port. */
const [host = '', port = '', delayMs = ''] = process.argv.slice(2);

function pass(from: Socket, to: Socket): void {
  from.on('data', (chunk) => setTimeout(() => to.write(chunk), Number(delayMs)));
  from.on('close', () => setTimeout(() => to.destroy(), Number(delayMs)));
  from.on('error', () => undefined);
}

const server = createServer((near) => {
  const far = connect(Number(port), host);
  pass(near, far);
  pass(far, near);
}).listen(0, '127.0.0.1');
server.on('listening', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
