import { EventEmitter } from 'node:events';
import type { Answer, ConnectionStatus, ViewerEvent } from '../../src/client/client.ts';
import type { Query } from '../../src/protocol/query.ts';

export interface Asked {
  query: Query;
  deliver(answer: Answer): void;
}

/** A client without a server: it keeps what was asked, and a test answers. */
export class FakeClient extends EventEmitter<{ status: [ConnectionStatus]; asked: [Query]; event: [ViewerEvent] }> {
  readonly asked = new Set<Asked>();
  isClosed = false;

  connect(): void {
    this.emit('status', { state: 'connecting' });
  }

  subscribe(query: Query, deliver: (answer: Answer) => void) {
    const asked: Asked = { query, deliver };
    this.asked.add(asked);
    this.emit('asked', query);
    return {
      change: (next: Query) => {
        asked.query = next;
        this.emit('asked', next);
      },
      close: () => {
        this.asked.delete(asked);
      },
    };
  }

  close(): void {
    this.isClosed = true;
    this.asked.clear();
  }
}
