import { AGENT_ENVIRONMENT } from '../release/agent-process.ts';
import { AGENT_FILE, NODE_OPTIONS_FILE } from '../release/agent-release.ts';
import { LAYOUT } from './agent-settings.ts';
import { FIND_PROCESSES, STOP_PROCESSES } from './script.ts';
import type { Installation } from './service.ts';

/**
 * The parent of an installation's agent, for any POSIX shell. It is written by a deployment and by no upgrade, so that it
 * stays what it was when a release is broken.
 *
 * Its rule: `data/trial` is there as long as a release is on trial, and whoever starts an agent takes that release back
 * before. Thus it does not matter when an agent, this launcher or the whole machine dies: `current` leads to the release
 * before, then `data/failed` says why, then `trial` is taken away, and each of these steps can be done again.
 *
 * On SIGUSR1, by which an agent says that it flips over to the new release, the time of the trial begins to count.
 */
export function launcherScript({ folder }: Installation): string {
  const environment = Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  return `#!/bin/sh
# Written by procmesh: keeps the agent in this folder running, and takes a release back that fails while it is on trial.
cd -P ${folder} || exit 1
real=$(pwd)
umask 077
ulimit -n 65536 2>/dev/null
export ${environment.join(' ')} PROCMESH_LAUNCHER=$$
${FIND_PROCESSES}${STOP_PROCESSES}
# Reads the first line of a file; nothing where there is none.
first() {
  line=
  { IFS= read -r line <"$1"; } 2>/dev/null
}
# There is one launcher: the one that this file names, as long as it lives.
claim() {
  first ${LAYOUT.launcherPid}
  if [ "$line" = $$ ]; then return; fi
  if is_launcher "$line"; then exit 0; fi
  echo $$ >${LAYOUT.launcherPid}
}
# Waits until a child is gone. A signal ends "wait" before, and one that came just after leaves nothing to wait for.
await() {
  code=
  while :; do
    interrupted=
    wait "$1"
    got=$?
    if [ "$got" -ne 127 ] || [ -z "$code" ]; then code=$got; fi
    if [ -z "$interrupted" ]; then return; fi
  done
}
# Why the agent ended: its last line that is no part of a stack trace, nor the version below one.
why() {
  reason="it ended with $code"
  if [ "$code" -gt 128 ]; then
    signal=$(kill -l $((code - 128)) 2>/dev/null)
    case $signal in [A-Z]*) reason="it was ended by SIG$signal" ;; esac
  fi
  said=$(tail -c 10000 ${LAYOUT.errors} | tr -d "\\000-\\010\\013-\\037\\177" |
    sed -n '/^Node\\.js v/!{/^[^[:blank:]<}-]/h;};\${x;p;}' | cut -c 1-300)
  if [ -n "$said" ]; then reason="$reason: $said"; fi
}
read_trial() { { read -r new old seconds serial <${LAYOUT.trial}; } 2>/dev/null; }
take_back() {
  read_trial
  trial="$new $old $seconds $serial"
  if [ ! -x "${LAYOUT.releases}/$old/node" ] || [ ! -e "${LAYOUT.releases}/$old/${AGENT_FILE}" ]; then
    reason="$reason; it stays, as the release before it is gone"
  elif [ "$(readlink ${LAYOUT.current})" != "${LAYOUT.releases}/$old" ]; then
    rm -f ${LAYOUT.current}.partial
    ln -s "${LAYOUT.releases}/$old" ${LAYOUT.current}.partial && mv -fT ${LAYOUT.current}.partial ${LAYOUT.current} || return
  fi
  first ${LAYOUT.failed}
  if [ "$line" != "$trial" ]; then
    printf "%s\\n%s\\n" "$trial" "$reason" >${LAYOUT.failed}.partial
    first ${LAYOUT.failed}.partial
    # A full disk takes a new name at least.
    if [ "$line" != "$trial" ]; then
      mv -f ${LAYOUT.trial} ${LAYOUT.failed}
      return
    fi
    mv -f ${LAYOUT.failed}.partial ${LAYOUT.failed} || return
  fi
  # Older ones take no names and write everything.
  sync . data ${LAYOUT.failed} 2>/dev/null
  rm -f ${LAYOUT.trial}
}
# Kills the agent when its release is not confirmed in time, and then ends with 0.
count() {
  read_trial || return
  stop_clock
  # What the release before has said is not why this one ends.
  printf "" >${LAYOUT.errors}
  (
    sleep "$seconds" &
    sleeper=$!
    trap 'kill "$sleeper"; exit 1' TERM
    wait "$sleeper"
    trap "" TERM
    if [ ! -e ${LAYOUT.trial} ] || [ "$(readlink "/proc/$child/cwd")" != "$real" ]; then exit 1; fi
    kill -9 "$child"
  ) &
  clock=$!
}
# It may have ended long ago, and its pid be another's.
stop_clock() { if [ -n "$clock" ] && is_launcher "$clock"; then kill "$clock" 2>/dev/null; fi; }
rest() {
  sleep "$delay" &
  child=$!
  if [ -n "$told" ]; then kill "$child"; fi
  await "$child"
  child=
  delay=$((delay < 150 ? delay * 2 : 300))
}
uptime() { read -r up _ </proc/uptime; up=\${up%.*}; }

child=
clock=
told=
trap 'interrupted=yes; told=yes; if [ -n "$child" ]; then kill "$child" 2>/dev/null; fi' TERM INT
trap 'interrupted=yes; count' USR1
reason="its trial was cut short, as launcher or machine stopped"
delay=1
while [ -z "$told" ]; do
  claim
  stop agents
  if [ -e ${LAYOUT.trial} ] && ! take_back; then
    rest
    continue
  fi
  uptime
  began=$up
  printf "" >${LAYOUT.errors}
  options=$(cat ${LAYOUT.current}/${NODE_OPTIONS_FILE} 2>/dev/null)
  ${LAYOUT.current}/node $options "$real/${LAYOUT.current}/${AGENT_FILE}" --deployed "$real" </dev/null >/dev/null 2>>${LAYOUT.errors} &
  child=$!
  if [ -n "$told" ]; then kill "$child"; fi
  await "$child"
  child=
  why
  if [ -n "$clock" ]; then
    ended=$code
    stop_clock
    await "$clock"
    clock=
    if [ "$code" -eq 0 ]; then reason="it was not confirmed within $seconds s"; fi
    code=$ended
  fi
  if [ -n "$told" ]; then break; fi
  if [ -e ${LAYOUT.trial} ]; then
    delay=1
    continue
  fi
  # It was told to end.
  if [ "$code" -eq 0 ]; then break; fi
  printf "%s\\n" "$reason" >${LAYOUT.ended}
  uptime
  if [ $((up - began)) -ge 600 ]; then delay=1; fi
  rest
done
first ${LAYOUT.launcherPid}
if [ "$line" = $$ ]; then rm -f ${LAYOUT.launcherPid}; fi
exit 0
`;
}
