/**
 * An agent's work is in the kernel: a small nursery, no second optimizing compiler and no threads for collecting garbage
 * save a sixth of its memory and cost no CPU time that can be measured.
 */
export const AGENT_NODE_OPTIONS = ['--max-semi-space-size=1', '--no-opt', '--v8-pool-size=0'];
/** Its threads do too little for each to have a heap of malloc's own. */
export const AGENT_ENVIRONMENT = { MALLOC_ARENA_MAX: '1' };
