import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CgroupPlace, parseCgroup } from '../../src/procfs/pid-cgroup.ts';

const ID = '3f2a9c1b7d5e4f60a1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5e6f7081';
const SHORT = ID.slice(0, 12);
const POD = 'kubepods-burstable-pod1c8e2f5a_9b7d_4f63_8a21_0d5c6e7f8a9b.slice';

const CASES: readonly [title: string, text: string, place: CgroupPlace][] = [
  ['no service at the root', '0::/\n', {}],
  ['a system service', '0::/system.slice/mariadb.service\n', { unit: 'mariadb.service' }],
  ['a template service', '0::/system.slice/system-mysqld.slice/mysqld@3307.service\n', { unit: 'mysqld@3307.service' }],
  [
    'a dash that systemd escaped',
    '0::/system.slice/system-postgresql.slice/postgresql@15\\x2dmain.service\n',
    { unit: 'postgresql@15-main.service' },
  ],
  ['no service in a login session', '0::/user.slice/user-1000.slice/session-3.scope\n', {}],
  ['no service in a login itself', '0::/user.slice/user-1000.slice/user@1000.service/init.scope\n', {}],
  [
    'a service of a user',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service\n',
    { unit: 'syncthing.service' },
  ],
  [
    'a service of version 1',
    '12:cpu,cpuacct:/\n3:memory:/\n1:name=systemd:/system.slice/ssh.service\n0::/\n',
    {
      unit: 'ssh.service',
    },
  ],
  [
    'the innermost of two services',
    '0::/system.slice/guest.service/system.slice/nginx.service\n',
    { unit: 'nginx.service' },
  ],
  ['no service in other controllers of version 1', '4:memory:/system.slice/old.service\n', {}],
  ['docker under systemd', `0::/system.slice/docker-${ID}.scope\n`, { container: SHORT }],
  ['docker under cgroupfs', `11:pids:/docker/${ID}\n1:name=systemd:/docker/${ID}\n`, { container: SHORT }],
  [
    'containerd in a pod',
    `0::/kubepods.slice/kubepods-burstable.slice/${POD}/cri-containerd-${ID}.scope\n`,
    { container: SHORT },
  ],
  [
    'containerd with its own path',
    `5:devices:/system.slice/containerd.service/${POD}:cri-containerd:${ID}\n`,
    {
      container: SHORT,
    },
  ],
  [
    'a pod under cgroupfs',
    `8:cpu:/kubepods/besteffort/pod1c8e2f5a-9b7d-4f63-8a21-0d5c6e7f8a9b/${ID}\n`,
    {
      container: SHORT,
    },
  ],
  ['podman', `0::/machine.slice/libpod-${ID}.scope/container\n`, { container: SHORT }],
  ['CRI-O', `0::/kubepods.slice/${POD}/crio-${ID}.scope\n`, { container: SHORT }],
  ['LXC of version 1', '9:memory:/lxc/web1/user.slice\n', { container: 'web1' }],
  [
    'LXC of version 2',
    '0::/lxc.payload.web1/system.slice/nginx.service\n',
    {
      container: 'web1',
      unit: 'nginx.service',
    },
  ],
  ['no container in the watcher of one', '0::/lxc.monitor.web1\n', {}],
  ['docker within LXC as the inner one', `9:memory:/lxc/web1/docker/${ID}\n0::/lxc/web1\n`, { container: SHORT }],
  ['the inner one of two', `0::/docker/${'0'.repeat(64)}/system.slice/docker-${ID}.scope\n`, { container: SHORT }],
  ['no container in a name that is longer', `0::/cache/${ID}00\n`, {}],
  ['nothing in what is no cgroup line', 'garbage\n::\n', {}],
];

for (const [title, text, place] of CASES) test(`finds ${title}`, () => assert.deepEqual(parseCgroup(text), place));
