#!/bin/sh
# Keeps a control group for a test host: called with an empty folder in a namespace of mounts of its own, it makes the group, says its name, and takes it
# away again, with whatever runs in it, when its standard input ends: at the latest with whoever made the host. What ends that one does not end this.
set -eu
trap '' HUP INT TERM
mount --make-rprivate /
mount -t cgroup2 cgroup2 "$1"
cd "$1"
name=procmesh-test-$$
mkdir "$name"
echo "$name"
while read -r _; do :; done
# Processes take a moment to die, and are counted until then.
until ! [ -d "$name" ]; do
  echo 1 >"$name/cgroup.kill"
  find "$name" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
done
