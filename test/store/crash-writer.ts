import { openSqliteStore } from '../../src/store/sqlite.ts';
import { aProcess, interval } from './sample.ts';

// Run as a child: writes interval after interval for three hosts from the given step on, and says which are acknowledged.
const [file = '', from = '0'] = process.argv.slice(2);
const store = await openSqliteStore(file);
const processes = Array.from({ length: 40 }, (_, index) => aProcess({ pid: index + 1 }));
for (let step = Number(from); ; step += 1) {
  await store.write(['a', 'b', 'c'].map((host) => ({ host, interval: interval(step, { processes }) })));
  process.stdout.write(`${step}\n`);
}
