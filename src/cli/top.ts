import { runTui } from '../../tui/tui.ts';
import { Client } from '../client/client.ts';
import { Problem } from '../problem.ts';
import { atOption, type ViewerOptions, viewerCommand, viewerTarget } from './options.ts';

/** `procmesh top`: the terminal UI. */
export async function run(args: readonly string[]): Promise<void> {
  const { at: atMs, ...options } = viewerCommand('top', 'The terminal UI against a server.')
    .addOption(atOption('begin then'))
    .parse([...args], { from: 'user' })
    .opts<ViewerOptions & { at?: number }>();
  requireTerminal();
  await runTui({ client: new Client(viewerTarget(options)), atMs });
}

/** @throws Problem when there is no terminal to draw on. */
export function requireTerminal(): void {
  if (process.stdin.isTTY && process.stdout.isTTY) return;
  throw new Problem('ERR_TERMINAL', 'the terminal UI wants a terminal: use procmesh ps --watch in a pipe', {
    exitCode: 2,
  });
}
