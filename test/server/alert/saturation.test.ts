import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Beat } from '../../../src/protocol/message.ts';
import type { Culprits, HostUsage } from '../../../src/protocol/row.ts';
import { Load } from '../../../src/server/alert/load.ts';
import { Saturation, type SaturationLimits } from '../../../src/server/alert/saturation.ts';
import type { Verdict } from '../../../src/server/alert/verdict.ts';
import { usage } from '../../store/sample.ts';

const LIMITS: SaturationLimits = {
  cpuPercent: 95,
  memPercent: 95,
  diskUtilPercent: 95,
  netPercent: 95,
  forMs: 300_000,
};
const IDLE = { cores: 2, cpuPercent: 10, diskUtilPercent: 1, unattributed: {} };
const PERIOD_MS = 2_000;

interface Moment extends Partial<HostUsage> {
  culprits?: Culprits;
  network?: Beat['network'];
}

function beat({ culprits = {}, network, ...figures }: Moment): Beat {
  return {
    ...{
      type: 'beat',
      atMs: 0,
      usage: usage({ ...IDLE, ...figures }),
      culprits,
      agent: { cpuPercent: 1, rssBytes: 1 },
    },
    ...(network !== undefined && { network }),
  };
}

/** A host that beats every two seconds. */
function watched(limits: Partial<SaturationLimits> = {}, periodMs = PERIOD_MS) {
  const saturation = new Saturation({ ...LIMITS, ...limits });
  let now = 0;
  let beats = 0;
  return {
    saturation,
    skip: (ms: number) => {
      now += ms;
    },
    /** @returns what was found at the end of it, and when of each kind something bad was found first, in s. */
    for: (seconds: number, moment: Moment | ((beat: number) => Moment)) => {
      const until = now + seconds * 1_000;
      const badAt = new Map<string, number>();
      let last: Verdict[] = [];
      for (; now < until; now += periodMs) {
        beats += 1;
        const found = saturation.add('web-1', beat(typeof moment === 'function' ? moment(beats) : moment), now);
        if (found === undefined) continue;
        last = found;
        for (const { kind, isWell } of found) if (!isWell && !badAt.has(kind)) badAt.set(kind, now / 1_000);
      }
      const said = (kind: string) => {
        const verdict = last.find((one) => one.kind === kind);
        return verdict && `${verdict.isWell ? 'well' : 'bad'}: ${verdict.text}`;
      };
      return { badAt, said };
    },
  };
}

const MYSQLD = { instance: 'mysqld:3307', pid: 1, value: 122 };
const BACKUP = { instance: 'xtrabackup', pid: 2, value: 44 };

describe('saturation', () => {
  it('finds CPU that is used up for five minutes, and by whom, as shares of all cores', () => {
    const { badAt, said } = watched().for(310, { cpuPercent: 194, culprits: { cpu: [MYSQLD, BACKUP] } });
    assert.equal(badAt.get('cpu'), 300);
    assert.equal(said('cpu'), 'bad: cpu 97 % for 5 min: mysqld:3307 61 %, xtrabackup 22 %');
    assert.equal(said('mem'), 'well: memory has room again');
  });

  it('averages over the time, also those who are not always among the first', () => {
    const moment = (beat: number) => ({ cpuPercent: 194, culprits: { cpu: beat % 2 === 0 ? [MYSQLD] : [BACKUP] } });
    assert.equal(watched().for(310, moment).said('cpu'), 'bad: cpu 97 % for 5 min: mysqld:3307 30 %, xtrabackup 11 %');
  });

  it('adds up the processes of one instance, names the largest three, and what nobody accounts for where it is much', () => {
    const cpu = [MYSQLD, { instance: 'sh', pid: 3, value: 4 }, { instance: 'sh', pid: 4, value: 4 }, BACKUP];
    const more = [...cpu, { instance: 'java', pid: 5, value: 6 }];
    const { said } = watched().for(310, { cpuPercent: 200, unattributed: { cpuPercent: 20 }, culprits: { cpu: more } });
    assert.equal(said('cpu'), 'bad: cpu 100 % for 5 min: mysqld:3307 61 %, xtrabackup 22 %, sh 4 %, unattributed 10 %');
  });

  it('does not mind single samples below the threshold, but a quiet minute', () => {
    const spiky = watched().for(320, (beat) => ({ cpuPercent: beat % 10 === 0 ? 180 : 194 }));
    assert.equal(spiky.badAt.get('cpu'), 300);
    const host = watched();
    host.for(290, { cpuPercent: 194 });
    host.for(60, { cpuPercent: 100 });
    assert.equal(host.for(290, { cpuPercent: 194 }).badAt.size, 0);
  });

  it('is over only when it was clearly below for as long', () => {
    const host = watched();
    host.for(310, { cpuPercent: 194 });
    assert.equal(host.for(600, { cpuPercent: 184 }).said('cpu'), undefined);
    assert.equal(host.for(290, { cpuPercent: 178 }).said('cpu'), undefined);
    assert.equal(host.for(40, { cpuPercent: 178 }).said('cpu'), 'well: cpu has room again');
  });

  it('says how long it lasts, and who it was all the time', () => {
    const host = watched();
    host.for(310, { cpuPercent: 194, culprits: { cpu: [MYSQLD] } });
    const { said } = host.for(1_200, { cpuPercent: 200, culprits: { cpu: [BACKUP] } });
    assert.equal(said('cpu'), 'bad: cpu 99 % for 25 min: xtrabackup 17 %, mysqld:3307 13 %');
  });

  it('finds memory, with the shares of it', () => {
    const mem = [{ instance: 'redis:6379', pid: 1, value: 48e9 }];
    assert.equal(
      watched().for(310, { memTotalBytes: 64e9, memUsedBytes: 62e9, culprits: { mem } }).said('mem'),
      'bad: memory 97 % for 5 min: redis:6379 75 %',
    );
  });

  it('finds a busy disk, with the shares of all its bytes, read and written', () => {
    const culprits = {
      read: [{ ...BACKUP, value: 600 }],
      write: [
        { ...BACKUP, value: 100 },
        { ...MYSQLD, value: 250 },
      ],
    };
    const figures = { diskUtilPercent: 99.6, readBytesPerSec: 600, writeBytesPerSec: 400 };
    assert.equal(
      watched()
        .for(310, { ...figures, culprits, unattributed: { writeBytesPerSec: 50 } })
        .said('disk'),
      'bad: disk busy 100 % for 5 min: xtrabackup 70 %, mysqld:3307 25 % of its bytes',
    );
  });

  it('finds a full interface by its speed and direction, and leaves out those whose speed is not known', () => {
    const eth0 = { name: 'eth0', speedBitsPerSec: 1e9, inBytesPerSec: 1e6, outBytesPerSec: 121e6 };
    const interfaces = [{ name: 'tun0', inBytesPerSec: 9e9, outBytesPerSec: 9e9 }, eth0];
    const network = { interfaces, overheadInBytesPerSec: 0, overheadOutBytesPerSec: 0, loopbackBytesPerSec: 0 };
    const culprits = { 'net-out': [{ ...BACKUP, value: 110e6 }], 'net-in': [{ ...MYSQLD, value: 1e6 }] };
    const { said } = watched().for(310, { network, culprits, netInBytesPerSec: 1e6, netOutBytesPerSec: 121e6 });
    assert.equal(said('net'), 'bad: eth0 out 97 % for 5 min: xtrabackup 91 % of its bytes');
  });

  it('finds nothing of what is set to never', () => {
    const never = { cpuPercent: 0, memPercent: 0, diskUtilPercent: 0, netPercent: 0 };
    const { badAt } = watched(never).for(600, { cpuPercent: 200, diskUtilPercent: 100, memUsedBytes: 64e9 });
    assert.equal(badAt.size, 0);
  });

  it('begins anew after a host was silent, was forgotten, or the limits changed', () => {
    for (const interrupt of [
      ({ skip }: ReturnType<typeof watched>) => skip(120_000),
      ({ saturation }: ReturnType<typeof watched>) => saturation.forget('web-1'),
      ({ saturation }: ReturnType<typeof watched>) => saturation.change(LIMITS),
    ]) {
      const host = watched();
      host.for(290, { cpuPercent: 194 });
      interrupt(host);
      assert.equal(host.for(290, { cpuPercent: 194 }).badAt.size, 0);
    }
  });

  it('does not blame who used it before it was used up', () => {
    const host = watched();
    host.for(10, { cpuPercent: 194, culprits: { cpu: [BACKUP] } });
    host.for(60, { cpuPercent: 100 });
    const { said } = host.for(340, { cpuPercent: 194, culprits: { cpu: [MYSQLD] } });
    assert.equal(said('cpu'), 'bad: cpu 97 % for 5 min: mysqld:3307 61 %');
  });

  it('remembers fifty instances at most', () => {
    const load = new Load();
    for (let pid = 1; pid <= 1_000; pid += 1) {
      load.add(100, 95);
      load.blame([{ instance: `job-${pid}`, pid, value: 1 }], 1);
    }
    assert.equal(load.shares().length, 50);
  });

  it('works with samples that are longer than its steps, and with many short-lived instances', () => {
    const { badAt, said } = watched({ forMs: 3_000 }).for(60, (beat) => ({
      cpuPercent: 200,
      culprits: { cpu: [MYSQLD, { instance: `job-${beat}`, pid: beat, value: 10 }] },
    }));
    assert.equal(badAt.get('cpu'), 4);
    assert.match(said('cpu') ?? '', /^bad: cpu 100 % for 58 s: mysqld:3307 61 %$/);
  });
});
