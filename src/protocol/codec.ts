import type * as z from 'zod/mini';

/** Largest frame each side accepts; `ws` closes with 1009 above it, before the frame is in memory. */
export const MAX_AGENT_FRAME_BYTES = 8 * 1024 * 1024;
export const MAX_VIEWER_FRAME_BYTES = 64 * 1024;
export const MAX_SERVER_FRAME_BYTES = 32 * 1024 * 1024;

/** Close codes of our own (RFC 6455 leaves 4000–4999 to applications). */
export const CLOSE = {
  /** Not JSON, not a message, or a known message with wrong fields. */
  badFrame: 4400,
  /** Who speaks may not speak for the host that it names. */
  forbidden: 4403,
  /** A valid message at a moment it has no place in, such as a beat before the hello. */
  unexpected: 4409,
  /** Another connection for the same host has taken over. */
  replaced: 4410,
  /** The host is no longer of the mesh. */
  retired: 4411,
  /** The host's token has been replaced by another one. */
  expired: 4412,
  /** Three heartbeats went unanswered. */
  silent: 4408,
  /** The peer reads slower than it is sent to. */
  slow: 4429,
} as const;

export class FrameError extends Error {
  readonly code = 'ERR_FRAME';
  constructor(reason: string, options?: { cause: unknown }) {
    super(reason, options);
    this.name = 'FrameError';
  }
}

/** A message of a type this side does not know, from a newer peer: to be counted and dropped. */
export type Unknown = { type: undefined; unknownType: string };

/**
 * One text frame to one message. Unknown fields are ignored and an unknown type is handed back as `Unknown`,
 * so that newer peers can be spoken with.
 * @throws FrameError when the frame is binary, not JSON, has no type, or has a known type with wrong fields.
 */
export function decode<Schema extends z.ZodMiniDiscriminatedUnion>(
  schema: Schema,
  data: unknown,
  isBinary: boolean,
): z.infer<Schema> | Unknown {
  if (isBinary) throw new FrameError('binary frame');
  let json: unknown;
  try {
    json = JSON.parse(String(data));
  } catch (cause) {
    throw new FrameError('not JSON', { cause });
  }
  const type = typeof json === 'object' && json !== null && 'type' in json ? json.type : undefined;
  if (typeof type !== 'string') throw new FrameError('no type');
  const result = schema.safeParse(json);
  if (result.success) return result.data as z.infer<Schema>;
  const [issue] = result.error.issues;
  if (issue?.code === 'invalid_union' && issue.path.length === 1 && issue.path[0] === 'type')
    return { type: undefined, unknownType: type.slice(0, 32) };
  throw new FrameError(
    `${type.slice(0, 32)}.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`.slice(0, 120),
  );
}
