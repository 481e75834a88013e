import type { Link } from '../link.ts';
import { Upgrader, type UpgraderOptions } from './upgrader.ts';

/** @returns an upgrader that servers speak with over the agent's connection. */
export function openUpgrader(options: UpgraderOptions, link: Link): Upgrader {
  const upgrader = new Upgrader(options);
  upgrader.on('send', (message) => link.send(message));
  link.on('status', ({ state }) => {
    if (state !== 'open') upgrader.disconnected();
  });
  link.on('upgrade', (upgrade) => upgrader.upgrade(upgrade));
  link.on('chunk', (chunk) => upgrader.onChunk(chunk));
  link.on('confirm', (serial) => void upgrader.confirm(serial));
  link.on('revert', (serial, reason) => void upgrader.revert(serial, reason));
  return upgrader;
}
