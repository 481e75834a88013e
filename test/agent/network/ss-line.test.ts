import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSsLine } from '../../../src/agent/network/ss-line.ts';
import type { TcpSocket } from '../../../src/kernel/sock-diag.ts';

/** Lines of iproute2 6.1 on Linux 6.18 unless said otherwise. */
const LINES: [what: string, line: string, socket: TcpSocket][] = [
  [
    'IPv4 with nothing received yet',
    'ESTAB 0      0               127.0.0.1:32792          127.0.0.1:42361 ino:13991 sk:1001 cgroup:/ <-> ts sack bbr wscale:10,10 rto:204 rtt:0.084/0.115 mss:47616 pmtu:65535 rcvmss:536 advmss:65483 cwnd:13 bytes_sent:100000 bytes_acked:100001 segs_out:5 segs_in:3 data_segs_out:3 bbr:(bw:13604564936bps,mrtt:0.028,pacing_gain:2.88672,cwnd_gain:2.88672) send 58953142857bps lastsnd:204 lastrcv:204 lastack:204 pacing_rate 226833702760bps delivery_rate 1727564624bps delivered:4 rcv_space:65495 rcv_ssthresh:65495 minrtt:0.028 snd_wnd:93184',
    {
      cookie: 0x1001,
      inode: 13_991,
      localPort: 32_792,
      remotePort: 42_361,
      remoteAddress: '127.0.0.1',
      isLoopback: true,
      outBytes: 100_000,
      inBytes: 0,
    },
  ],
  [
    'IPv4 mapped into IPv6, only received',
    'ESTAB 0      0      [::ffff:127.0.0.1]:42361 [::ffff:127.0.0.1]:32792 ino:13994 sk:1006 cgroup:/ <-> ts sack bbr wscale:10,10 rto:200 rtt:0.102/0.051 ato:40 mss:32768 pmtu:65535 rcvmss:34518 advmss:65483 cwnd:10 bytes_received:100000 segs_out:2 segs_in:5 data_segs_in:3 bbr:(bw:0bps,mrtt:0.102) send 25700392157bps lastsnd:204 lastrcv:204 lastack:204 pacing_rate 73447901504bps delivered:1 app_limited rcv_rtt:0.027 rcv_space:67259 rcv_ssthresh:94833 minrtt:0.102 snd_wnd:65536',
    {
      cookie: 0x1006,
      inode: 13_994,
      localPort: 42_361,
      remotePort: 32_792,
      remoteAddress: '127.0.0.1',
      isLoopback: true,
      outBytes: 0,
      inBytes: 100_000,
    },
  ],
  [
    'IPv6 with nothing but its shaking of hands acknowledged, spaces at the end',
    'ESTAB 0      0                   [::1]:46128              [::1]:42361 ino:13992 sk:1003 cgroup:/ <-> ts sack bbr wscale:10,10 rto:204 rtt:0.033/0.016 mss:32732 pmtu:65536 rcvmss:536 advmss:65464 cwnd:10 bytes_acked:1 segs_out:2 segs_in:1 bbr:(bw:0bps,mrtt:0.033,pacing_gain:1,cwnd_gain:1) send 79350303030bps lastsnd:204 lastrcv:204 lastack:204 pacing_rate 226771349648bps delivery_rate 32768000000bps delivered:1 app_limited rcv_space:65476 rcv_ssthresh:65476 minrtt:0.033 snd_wnd:65464                        ',
    {
      cookie: 0x1003,
      inode: 13_992,
      localPort: 46_128,
      remotePort: 42_361,
      remoteAddress: '::1',
      isLoopback: true,
      outBytes: 0,
      inBytes: 0,
    },
  ],
  [
    'a destroyed socket of -E',
    'UNCONN 0      0      [::1]:42361 [::1]:46144 ino:0 sk:1007 ts sack wscale:10,10 rto:204 rtt:0.023/0.009 ato:40 mss:32768 pmtu:65536 rcvmss:536 advmss:65464 cwnd:12 bytes_sent:3 bytes_acked:4 bytes_received:6 segs_out:3 segs_in:6 data_segs_out:1 data_segs_in:1 send 136770782609bps pacing_rate 299667438136bps delivery_rate 12483047616bps delivered:3 rcv_space:65464 rcv_ssthresh:65464 minrtt:0.019 snd_wnd:65536',
    {
      cookie: 0x1007,
      inode: 0,
      localPort: 42_361,
      remotePort: 46_144,
      remoteAddress: '::1',
      isLoopback: true,
      outBytes: 3,
      inBytes: 6,
    },
  ],
  [
    'a destroyed socket that listened',
    'UNCONN 0      0                       *:42361                  *:*     ino:0 sk:2 rto:1000 mss:536 cwnd:10 lastsnd:1384240 lastrcv:1384240 lastack:1384240 app_limited',
    {
      cookie: 2,
      inode: 0,
      localPort: 42_361,
      remotePort: 0,
      remoteAddress: '*',
      isLoopback: true,
      outBytes: 0,
      inBytes: 0,
    },
  ],
  [
    'a timer, an owner, retransmissions and fields that no ss has yet',
    'ESTAB 0 36 198.18.0.1:3306 198.18.0.2:40112 timer:(on,204ms,1) uid:999 ino:31337 sk:fffff001 novel:(sk:7,ino:8) cgroup:/system.slice/mysql.service <-> ts sack cubic bytes_sent:5000000066 bytes_retrans:66 bytes_acked:4999999001 bytes_received:120 retrans:1/2 bytes_novel:9',
    {
      cookie: 0xfffff001,
      inode: 31_337,
      localPort: 3_306,
      remotePort: 40_112,
      remoteAddress: '198.18.0.2',
      isLoopback: false,
      outBytes: 5_000_000_000,
      inBytes: 120,
    },
  ],
  [
    'an address that is bound to an interface',
    'ESTAB 0      0      [fe80::1]%eth0:22 [fe80::215:5dff:fe00:abcd]%eth0:50000 ino:7 sk:8 <-> bytes_sent:1 bytes_received:2',
    {
      cookie: 8,
      inode: 7,
      localPort: 22,
      remotePort: 50_000,
      remoteAddress: 'fe80::215:5dff:fe00:abcd',
      isLoopback: false,
      outBytes: 1,
      inBytes: 2,
    },
  ],
  [
    'a peer on the loopback interface of another address',
    'ESTAB 0      0      [2001:db8::1]:22 [::1]:50000 ino:7 sk:8 <-> bytes_sent:1 bytes_received:2',
    {
      cookie: 8,
      inode: 7,
      localPort: 22,
      remotePort: 50_000,
      remoteAddress: '::1',
      isLoopback: true,
      outBytes: 1,
      inBytes: 2,
    },
  ],
  [
    'no brackets, of old versions, on a kernel that does not count what is sent',
    'ESTAB      0      0      2001:db8::1:443                2001:db8::1:50000               ino:7 sk:8 <-> bytes_acked:3001 bytes_received:120',
    {
      cookie: 8,
      inode: 7,
      localPort: 443,
      remotePort: 50_000,
      remoteAddress: '2001:db8::1',
      isLoopback: true,
      outBytes: 3_001,
      inBytes: 120,
    },
  ],
];

for (const [what, line, socket] of LINES) test(`reads ${what}`, () => assert.deepEqual(parseSsLine(line), socket));

for (const line of [
  '',
  'State Recv-Q Send-Q Local Address:Port Peer Address:Port Process',
  'ESTAB 0 0 127.0.0.1:32792 127.0.0.1:42361 ino:13991',
  'netlink receive error No buffer space available (105)',
]) {
  test(`takes ${JSON.stringify(line)} for no socket`, () => assert.equal(parseSsLine(line), undefined));
}
