import { Problem } from '../problem.ts';

const DEADLINE_MS = 10_000;
/** Of an answer; a robot's is some 60 bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Posts JSON; redirects are not followed. No error says more of the URL than its host: the rest of it is a secret.
 * @returns the text of an answer 2xx. @throws Problem `ERR_ALERT_AWAY` or `ERR_ALERT_REFUSED`.
 */
export async function postJson(url: string, body: object, signal: AbortSignal): Promise<string> {
  const where = new URL(url).host;
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, deadline]),
    });
    if (response.ok) return await bounded(response);
    await response.body?.cancel();
  } catch (error) {
    signal.throwIfAborted();
    const reason = deadline.aborted
      ? `has not answered in ${DEADLINE_MS / 1000} s`
      : `cannot be reached (${code(error)})`;
    throw new Problem('ERR_ALERT_AWAY', `${where} ${reason}`);
  }
  const { status } = response;
  if (status >= 500) throw new Problem('ERR_ALERT_AWAY', `${where} answers ${status}`);
  const what =
    status >= 300 && status < 400 ? `answers ${status}, and redirects are not followed` : `answers ${status}`;
  throw new Problem('ERR_ALERT_REFUSED', `${where} ${what}: check its URL in [MSM]`);
}

async function bounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) break;
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/** `fetch` wraps what went wrong, whose message may hold the URL. */
function code(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
}
