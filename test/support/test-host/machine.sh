#!/bin/sh
# A machine of its own, for the time this process lives: called with an empty folder, a name, a Node.js, and the name of a control group if systemd is to
# run it, in namespaces of mounts, network, names and IPC that are its own. Its files are those of this machine, read through an overlay: what it writes
# is in memory.
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$1"
here=$(dirname "$0")
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work machine root
cp "$here/boot.sh" root/boot.sh
if [ -n "$4" ]; then
  mkdir cgroup
  mount -t cgroup2 cgroup2 cgroup
fi
# This shell stays outside, with the folder of what was written as its own: /proc/PID/cwd/upper.
# Neither this shell nor what it started outlives whoever made the host.
setpriv --pdeathsig KILL unshare --pid --fork --kill-child sh -c '
  # The root of the namespace of control groups is the group that who makes it is in.
  if [ -n "$3" ]; then echo 0 >"cgroup/$3/cgroup.procs"; fi
  exec unshare --cgroup sh root/boot.sh "$@"
' sh "$2" "$3" "$4"
