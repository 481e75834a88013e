import WebSocket from 'ws';

/** What any Node.js program with an open WebSocket takes: the reference for the agent's memory. */
const socket = new WebSocket(process.argv[2], 'procmesh.v1', { rejectUnauthorized: false });
socket.on('open', () => process.stdout.write('ready\n'));
setInterval(() => socket.ping(), 2_000);
