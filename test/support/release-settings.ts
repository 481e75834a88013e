import type { ReleaseSettings } from '../../src/server/rollout/release-settings.ts';

export const RELEASE_SETTINGS: ReleaseSettings = {
  waves: [
    { label: '1', hosts: 1 },
    { label: '10 %', share: 0.1 },
    { label: 'all', share: 1 },
  ],
  healthMs: 7_000,
  trialMs: 60_000,
  maxCpuPercent: 25,
  maxRssBytes: 300e6,
};
