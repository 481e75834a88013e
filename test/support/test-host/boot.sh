#!/bin/sh
# The first process of a test host: makes the overlay its root. Then it is systemd, or reaps what is left by others, until it is killed.
set -eu
cd root
rm -f boot.sh
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
if [ -n "$3" ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  # systemd raises limits of the whole kernel, which is not this host's.
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
fi
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
rm -rf /opt/procmesh /var/lib/procmesh /var/spool/cron/crontabs/* /etc/systemd/system/procmesh-*
cd /
echo booted
if [ -n "$3" ]; then
  # Nothing that this machine starts is started: the targets are left, in their order.
  rm -rf /lib/systemd/system/*.wants /etc/systemd/system/*.wants /lib/systemd/system-generators /etc/fstab
  ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
  echo "$1" >/etc/hostname
  exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null --show-status=no >/dev/null 2>&1
fi
exec sh -c 'while :; do sleep 1000000 & wait; done' >/dev/null 2>&1
