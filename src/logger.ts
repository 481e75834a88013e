import { closeSync, mkdirSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { destination, type Logger, pino } from 'pino';
import { createStream } from 'rotating-file-stream';
import { Problem } from './problem.ts';

export type { Logger } from 'pino';

/**
 * JSON lines to a file that is rotated at `maxBytes` (one older file is kept), or to standard error without a file.
 * @throws Problem when the file cannot be opened for writing or its folder cannot be made.
 */
export function createLogger(options: { file: string; maxBytes: number }): Logger {
  const settings = {
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // A Problem says all there is to say in its message.
    serializers: {
      err: (error: Error) => (error instanceof Problem ? { code: error.code } : pino.stdSerializers.err(error)),
    },
    formatters: { level: (level: string) => ({ level }) },
  };
  if (options.file === '') return pino(settings, destination({ dest: 2, sync: true }));
  try {
    mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 });
    // The stream opens it later, when nobody can be told any more that it failed.
    closeSync(openSync(options.file, 'a', 0o600));
  } catch (cause) {
    throw new Problem('ERR_LOG_FILE', `the log ${options.file} cannot be written: set [global] log_file`, {
      exitCode: 2,
      cause,
    });
  }
  const name = basename(options.file);
  const stream = createStream((index) => (index === null ? name : `${name}.1`), {
    path: dirname(options.file),
    // Without it a rotation wants a name that is free, and the second one fails.
    rotate: 1,
    size: `${Math.ceil(options.maxBytes / 1024)}K`,
    mode: 0o600,
  });
  // A log that cannot be written must not take down what it tells about.
  stream.on('error', () => undefined);
  return pino(settings, stream);
}
