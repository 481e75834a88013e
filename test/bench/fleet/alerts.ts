import { missing } from '../../support/requirements.ts';
import { alertTimes, printAlertTimes } from './alert-bench.ts';

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

const obstacle = missing(['mariadb-server', 'iproute2', 'util-linux', 'openssh-server', 'cron']);
if (obstacle !== undefined) {
  progress(obstacle);
  process.exit(1);
}
printAlertTimes(await alertTimes(progress), process.argv.includes('--markdown'));
