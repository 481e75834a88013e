#!/bin/sh
# The first process of a test host: makes the overlay its root and reaps what is left by others until it is killed.
set -eu
cd root
rm -f boot.sh
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
# A home without this machine's settings of a shell.
mount -t tmpfs -o mode=700 home root
mkdir -p run/sshd
# The overlay has only the file system of /, and this may be on another.
: >run/node
mount --bind "$2" run/node
mkdir old
pivot_root . old
umount -l old
rmdir old
hostname "$1"
ip link set lo up
# Nothing that this machine has of its own may look like the work of a test.
rm -rf /opt/procmesh /var/lib/procmesh /var/spool/cron/crontabs/*
cd /
echo booted
exec sh -c 'while :; do sleep 1000000 & wait; done' >/dev/null 2>&1
