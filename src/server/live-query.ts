import type { ServerToViewer } from '../protocol/message.ts';

/** An answer without the subscription id, which only the viewer's connection knows. */
export type LiveAnswer = WithoutId<Extract<ServerToViewer, { type: 'rows' | 'hosts' | 'release' }>>;
export type WithoutId<Message> = Message extends { id: number } ? Omit<Message, 'id'> : never;
export type Deliver = (answer: LiveAnswer) => void;

/** One question that is kept up to date for everybody who asks it. */
export interface LiveQuery {
  /** The newest answer, if there is one yet. */
  readonly latest: LiveAnswer | undefined;
  close(): void;
}
