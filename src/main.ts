import { Command } from 'commander';
import { reportFailure } from './cli/failure.ts';
import { VERSION } from './cli/version.ts';

/** The sub-commands; the file of one is loaded only when it is called. */
const COMMANDS = {
  start: { summary: 'server, store, agent and terminal UI on this machine', load: () => import('./cli/start.ts') },
  server: { summary: 'the server that agents and viewers connect to', load: () => import('./cli/server.ts') },
  agent: { summary: 'an agent for this machine', load: () => import('./cli/agent.ts') },
  top: { summary: 'the terminal UI against a server', load: () => import('./cli/top.ts') },
  ps: { summary: 'the processes that use the most, now or then', load: () => import('./cli/ps.ts') },
  blame: { summary: 'who used up a machine then, of each resource', load: () => import('./cli/blame.ts') },
  hosts: { summary: 'the hosts and their state', load: () => import('./cli/hosts.ts') },
  release: {
    summary: 'how the newest release comes to the hosts; pauses it, or goes back',
    load: () => import('./cli/release.ts'),
  },
  'init-db': {
    summary: 'makes the database of history, or brings it up to date',
    load: () => import('./cli/init-db.ts'),
  },
  doctor: { summary: 'what works on this machine, and what would raise it', load: () => import('./cli/doctor.ts') },
} as const;

// Commander's own help of a command is a bare line of usage: its options are in its file.
const args = process.argv[2] === 'help' ? helpArgs(process.argv[3]) : process.argv.slice(2);

const program = new Command('procmesh')
  .description('Which process or instance is using up a machine, across a fleet, now or then.')
  .version(VERSION, '-V, --version')
  .configureOutput({ outputError: () => undefined })
  .exitOverride();
for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
  program
    .command(name)
    .description(summary)
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async () => (await load()).run(args.slice(1)));
}

// A reader that has seen enough, such as head(1), closes its end.
process.stdout.on('error', (error) => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  if (args.length === 0) program.help();
  await program.parseAsync(args, { from: 'user' });
} catch (error) {
  reportFailure(error);
}

/** `help ps` is `ps --help`, and of what is no command the same is said with and without help. */
function helpArgs(command: string | undefined): string[] {
  if (command === undefined) return ['--help'];
  return Object.hasOwn(COMMANDS, command) ? [command, '--help'] : [command];
}
