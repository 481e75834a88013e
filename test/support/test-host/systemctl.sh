#!/bin/sh
# Stands in for systemd's: keeps a list of the calls, and starts and stops what a unit really says.
echo "$*" >>/run/systemctl.calls
verb=$1
shift
now=no
for word; do
  case $word in
    --now) now=yes ;;
    --*) ;;
    *) name=${word%.service}.service ;;
  esac
done
unit=/etc/systemd/system/${name:-}
link=/etc/systemd/system/multi-user.target.wants/${name:-}
main=/run/$name.pid
setting() { sed -n "s/^$1=//p" "$unit"; }
running() { [ -s "$main" ] && kill -0 "$(cat "$main")" 2>/dev/null; }
stop() {
  running || return 0
  kill "$(cat "$main")"
  while running; do sleep 0.05; done
  rm -f "$main"
}
start() {
  running && return 0
  [ -f "$unit" ] || { echo "Failed to start $name: Unit $name not found." >&2; exit 5; }
  errors=$(setting StandardError | tail -n 1)
  errors=${errors#*:}
  cd "$(setting WorkingDirectory)" || exit 1
  (
    # Words of an ExecStart without quotes are those of a shell.
    exec setsid env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin $(setting Environment) $(setting ExecStart)
  ) </dev/null >/dev/null 2>"${errors:-/dev/null}" &
  echo $! >"$main"
}
case $verb in
  daemon-reload | reset-failed) ;;
  enable)
    mkdir -p "${link%/*}"
    ln -sf "$unit" "$link"
    if [ "$now" = yes ]; then start; fi
    ;;
  disable)
    rm -f "$link"
    rmdir "${link%/*}" 2>/dev/null
    if [ "$now" = yes ]; then stop; fi
    ;;
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  is-active) running ;;
  *) echo "Unknown command verb '$verb'." >&2; exit 1 ;;
esac
