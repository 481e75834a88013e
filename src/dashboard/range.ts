/** The largest step that local time takes back when daylight saving ends. */
const FOLD_SECONDS = 3600;

const FROM = '$__unixEpochFrom()';
const TO = '$__unixEpochTo()';

/**
 * The point of a series that a row belongs to: its time, epoch seconds, the same in every session time zone. NULL breaks the
 * line where there are no rows.
 */
export function point(table?: string): string {
  return `$__timeGroup(${prefix(table)}a_time, '$__interval', NULL)`;
}

/**
 * The condition for rows of the chosen hosts in the dashboard's range. Its first lines are what the primary key and the
 * partitions are read by. `FROM_UNIXTIME` is local time of the session, where an hour comes twice a year: a range of it
 * may match both hours or, with its ends in them, be empty. So it is widened, and the last line decides.
 * @param table its alias, where several are joined.
 */
export function inRange(table?: string): string {
  return between(FROM, TO, table);
}

/** The same for the last `seconds` of the range. */
export function atEndOfRange(seconds: number): string {
  return between(`${TO} - ${seconds}`, TO);
}

/** The same for rows of a table without regard to the chosen hosts. */
export function timeInRange(table?: string): string {
  return timeBetween(FROM, TO, table);
}

function between(from: string, to: string, table?: string): string {
  return `${prefix(table)}rshost IN ($host)\n  AND ${timeBetween(from, to, table)}`;
}

function timeBetween(from: string, to: string, table?: string): string {
  const time = `${prefix(table)}a_time`;
  return `${time} BETWEEN FROM_UNIXTIME(${from} - ${FOLD_SECONDS}) AND FROM_UNIXTIME(${to} + ${FOLD_SECONDS})
  AND UNIX_TIMESTAMP(${time}) BETWEEN ${from} AND ${to}`;
}

function prefix(table: string | undefined): string {
  return table === undefined ? '' : `${table}.`;
}
