import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Gate, type Judgement } from '../../../src/server/rollout/gate.ts';
import { RELEASE_SETTINGS } from '../../support/release-settings.ts';

/** The agent's clock is another one than the server's. */
const AGENT_MS = Date.UTC(2026, 0, 1);
const FOOTPRINT = { cpuPercent: 2, rssBytes: 60e6 };
const WELL: Judgement = { isWell: true };

interface Course {
  /** Seconds after the hello at which beats come; 1, 3, 5 … 59 unless given. */
  beats?: number[];
  cpuPercent?: number[];
  rssBytes?: number[];
  agentSampleMs?: number;
  /** Seconds after the hello at which intervals end and, at once, are stored. */
  stored?: number[];
}

/** @returns what is judged first, and after how many seconds. */
function judged(course: Course, settings = RELEASE_SETTINGS): [Judgement | undefined, number] {
  const { beats = Array.from({ length: 30 }, (_, index) => 1 + 2 * index), stored = [2] } = course;
  const gate = new Gate(1_000);
  for (let second = 0; second <= 120; second += 1) {
    const now = 1_000 + second * 1_000;
    const beat = beats.indexOf(second);
    if (beat >= 0)
      gate.beat(
        {
          atMs: AGENT_MS + second * 1_000,
          agent: {
            cpuPercent: course.cpuPercent?.[beat] ?? FOOTPRINT.cpuPercent,
            rssBytes: course.rssBytes?.[beat] ?? FOOTPRINT.rssBytes,
            ...(course.agentSampleMs !== undefined && { sampleMs: course.agentSampleMs }),
          },
        },
        now,
      );
    if (stored.includes(second)) gate.acknowledged(AGENT_MS + second * 1_000);
    const judgement = gate.judge(settings, 2_000, now);
    if (judgement !== undefined) return [judgement, second];
  }
  return [undefined, 120];
}

function failure(reason: string): Judgement {
  return { isWell: false, reason };
}

describe('gate', { timeout: 30_000 }, () => {
  it('lets a release stay that was well for as long as is asked', () => {
    assert.deepEqual(judged({}), [WELL, 7]);
  });

  it('is content with the last beat that was due, not with an earlier one', () => {
    assert.deepEqual(judged({ beats: [2, 4, 6] }), [WELL, 7]);
    assert.deepEqual(judged({ beats: [1, 2, 4, 8] }), [WELL, 8]);
    assert.deepEqual(judged({ beats: [1, 2, 4] }), [failure('it is connected and sends nothing for 7 s'), 11]);
  });

  it('waits for an interval that the new release has measured', () => {
    assert.deepEqual(judged({ stored: [30] }), [WELL, 30]);
    assert.deepEqual(judged({ stored: [0, 31] }), [WELL, 31]);
    assert.deepEqual(judged({ stored: [] }), [failure('no interval that it measured was stored within 55 s'), 55]);
  });

  it('says why nobody could be found well in time: by what is set, or as too little came', () => {
    const tooLong = '[RELEASE] health_time, 60 s, was not over within 55 s: trial_time is too short for it';
    assert.deepEqual(judged({}, { ...RELEASE_SETTINGS, healthMs: 60_000 }), [failure(tooLong), 55]);
    const tooFew = failure('it sent no two samples within 55 s');
    assert.deepEqual(judged({ beats: [1], agentSampleMs: 60_000 }), [tooFew, 55]);
  });

  it('sends one back that is connected and sends nothing', () => {
    assert.deepEqual(judged({ beats: [] }), [failure('it is connected and sends nothing for 7 s'), 7]);
    assert.deepEqual(judged({ beats: [1, 3] }), [failure('it is connected and sends nothing for 7 s'), 10]);
  });

  it('bears with an agent that samples more seldom than it is told', () => {
    const beats = [1, 9, 17, 25];
    assert.deepEqual(judged({ beats, agentSampleMs: 8_000 }), [WELL, 9]);
    assert.equal(judged({ beats })[0]?.isWell, false);
  });

  it('sends one back that uses too much CPU, whatever its start took', () => {
    assert.deepEqual(judged({ cpuPercent: [3, 98, 98, 98] }), [failure('it uses 98 % of a core, 25 % is allowed'), 7]);
    assert.deepEqual(judged({ cpuPercent: [300, 20, 24, 2] }), [WELL, 7]);
    assert.deepEqual(judged({ cpuPercent: [2, 90, 2, 2] }), [failure('it uses 31 % of a core, 25 % is allowed'), 7]);
  });

  it('sends one back at once that uses too much memory', () => {
    const most = failure('it uses 477 MB of memory, 286 MB is allowed');
    assert.deepEqual(judged({ rssBytes: [60e6, 500e6, 60e6] }), [most, 3]);
  });

  it('does not hold against an agent what this server did not hear itself', () => {
    const gate = new Gate(0);
    gate.beat({ atMs: 1_000, agent: FOOTPRINT }, 1_000);
    gate.excuse(20_000);
    assert.equal(gate.judge(RELEASE_SETTINGS, 2_000, 21_000), undefined);
    assert.equal(gate.judge(RELEASE_SETTINGS, 2_000, 27_000)?.isWell, false);
  });
});
