import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseDuration, parseTime, TimeError } from '../../src/client/time.ts';

/** 14:30 in Shanghai, where there is no summer time. */
const NOW = Date.UTC(2026, 10, 23, 6, 30);
const zone = process.env.TZ;

function parsed(text: string): string {
  return new Date(parseTime(text, NOW)).toISOString();
}

describe('parseTime', () => {
  before(() => {
    process.env.TZ = 'Asia/Shanghai';
  });
  after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  for (const [text, iso] of [
    ['03:12', '2026-11-22T19:12:00.000Z'],
    ['3:12', '2026-11-22T19:12:00.000Z'],
    ['14:30', '2026-11-23T06:30:00.000Z'],
    ['14:31', '2026-11-22T06:31:00.000Z'],
    ['23:59:30', '2026-11-22T15:59:30.000Z'],
    [' 03:12 ', '2026-11-22T19:12:00.000Z'],
    ['yesterday 03:12', '2026-11-21T19:12:00.000Z'],
    ['yesterday 23:00', '2026-11-22T15:00:00.000Z'],
    ['2026-11-22 03:12', '2026-11-21T19:12:00.000Z'],
    ['2026-11-22T03:12:00Z', '2026-11-22T03:12:00.000Z'],
    ['2026-11-22T03:12:00+08:00', '2026-11-21T19:12:00.000Z'],
    ['2026-11-22T03:12', '2026-11-21T19:12:00.000Z'],
    ['-15m', '2026-11-23T06:15:00.000Z'],
    ['-90s', '2026-11-23T06:28:30.000Z'],
    ['-2d', '2026-11-21T06:30:00.000Z'],
    ['-1.5h', '2026-11-23T05:00:00.000Z'],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => assert.equal(parsed(text), iso));
  }

  it('takes a time of day to come for yesterday’s also over the turn of a month and a year', () => {
    const newYear = Date.UTC(2025, 11, 31, 16, 10);
    assert.equal(new Date(parseTime('03:12', newYear)).toISOString(), '2025-12-30T19:12:00.000Z');
    assert.equal(new Date(parseTime('00:05', newYear)).toISOString(), '2025-12-31T16:05:00.000Z');
  });

  for (const text of ['tomorrow 03:12', '2026-11-23T06:30:01Z', '2027-01-01 00:00']) {
    it(`refuses ${JSON.stringify(text)}, which lies in the future`, () => {
      assert.throws(
        () => parsed(text),
        (error) => error instanceof TimeError && /future/.test(error.message),
      );
    });
  }

  for (const text of [
    '',
    ' ',
    'rubbish',
    '25:99',
    '12',
    '99999999999',
    '-',
    '-15',
    '-15x',
    '--15m',
    '2026-13-45T00:00:00Z',
    '2026-11-22Tnoon',
    'foo 03:12',
    '03:12 rubbish',
    '03:12; rm -rf',
    'at 03:12 or 04:12',
  ]) {
    it(`refuses ${JSON.stringify(text)}, and says what it takes`, () => {
      assert.throws(
        () => parsed(text),
        (error) => error instanceof TimeError && /It takes/.test(error.message),
      );
    });
  }
});

describe('parseDuration', () => {
  for (const [text, ms] of [
    ['90s', 90_000],
    ['10m', 600_000],
    ['6h', 21_600_000],
    ['2d', 172_800_000],
    ['1.5h', 5_400_000],
    ['366d', 31_622_400_000],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(parseDuration(text), ms));
  }

  for (const text of ['', '10', 'm', '0s', '0.5s', '367d', '-10m', '10 m', '10min', '1e3s', '10m5s']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseDuration(text), TimeError));
  }
});
