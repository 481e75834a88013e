#!/bin/sh
# A machine of its own, for the time this process lives: called with an empty folder, a name and a Node.js, in namespaces of mounts, network, names
# and IPC that are its own. Its files are those of this machine, read through an overlay: what it writes is in memory.
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$1"
here=$(dirname "$0")
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work machine root
cp "$here/boot.sh" root/boot.sh
# This shell stays outside, with the folder of what was written as its own: /proc/PID/cwd/upper.
# Neither this shell nor what it started outlives whoever made the host.
setpriv --pdeathsig KILL unshare --pid --fork --kill-child sh root/boot.sh "$2" "$3"
