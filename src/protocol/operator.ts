import * as z from 'zod/mini';

/** Most hosts of one change. */
export const MAX_CHANGED_HOSTS = 10_000;
/** A change of as many hosts, each with the longest name, user and port. */
export const MAX_OPERATOR_FRAME_BYTES = 4 * 1024 * 1024;

const id = z.int().check(z.minimum(1));
const name = z.string().check(z.minLength(1), z.maxLength(300));
const text = z.string().check(z.maxLength(1_000));

/** `token` lists a host as running, for an agent that is started there by hand, and answers with that agent's token. */
export const ACTS = ['add', 'remove', 'rotate', 'token'] as const;
export type Act = (typeof ACTS)[number];

export const changeSchema = z.object({
  type: z.literal('change'),
  /** Chosen by the operator, unique on the connection. */
  id,
  act: z.enum(ACTS),
  /** As in the table: `HOST`, `user@HOST:port`. None: of `rotate` all that run. */
  hosts: z.array(name).check(z.maxLength(MAX_CHANGED_HOSTS)),
});

/** What can be done with the newest rollout. `resume` of a halted one begins it again; `rollback` releases the one before anew. */
export const STEERINGS = ['pause', 'resume', 'rollback'] as const;
export type Steering = (typeof STEERINGS)[number];
export const steerSchema = z.object({ type: z.literal('steer'), id, act: z.enum(STEERINGS) });
export type Steer = z.infer<typeof steerSchema>;

export const OUTCOMES = ['running', 'retired', 'rotated', 'failed'] as const;

/** What became of one host. */
export const outcomeSchema = z.object({
  host: name,
  state: z.enum(OUTCOMES),
  /** Why it failed. What can be tried again is, by the server. */
  failure: z.optional(text),
  /** Of an agent that was not deployed: whoever runs it must give it this one. */
  token: z.optional(text),
});
export type Outcome = z.infer<typeof outcomeSchema>;

/** What is being done with a host of the change now. */
export const progressSchema = z.object({ type: z.literal('progress'), id, host: name, phase: text });
/** A host is done, or has failed; sent once for each host of the change. */
export const outcomeMessageSchema = z.object({ type: z.literal('outcome'), id, ...outcomeSchema.shape });
/** All hosts of the change are done or have failed, or the rollout was steered. */
export const doneSchema = z.object({ type: z.literal('done'), id });
/** The change was not begun, or what becomes of it cannot be told. */
export const operatorErrorSchema = z.object({
  type: z.literal('error'),
  id: z.optional(id),
  code: z.string(),
  message: z.string(),
});

export const operatorToServerSchema = z.discriminatedUnion('type', [changeSchema, steerSchema]);
export const serverToOperatorSchema = z.discriminatedUnion('type', [
  progressSchema,
  outcomeMessageSchema,
  doneSchema,
  operatorErrorSchema,
]);

export type Change = z.infer<typeof changeSchema>;
export type OperatorToServer = z.infer<typeof operatorToServerSchema>;
export type ServerToOperator = z.infer<typeof serverToOperatorSchema>;
