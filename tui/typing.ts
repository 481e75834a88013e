import { parseTime, TimeError } from '../src/client/time.ts';
import { TOP } from './cursor.ts';
import { type Model, openView, withView } from './model.ts';
import { jumped, serverNowMs } from './rewind.ts';

/** Longest filter that a query takes. */
const LONGEST = 500;

/** A key while a filter or a time is typed: it goes into the text, or ends the typing. */
export function onTyping(model: Model, typing: NonNullable<Model['typing']>, key: string): Model {
  const { what, text } = typing;
  const typed = (next: string): Model => ({ ...model, typing: { what, text: next } });
  switch (key) {
    case 'escape':
      return { ...model, typing: undefined };
    case 'enter':
      return what === 'time' ? timed(model, text) : filtered({ ...model, typing: undefined }, text.trim() || undefined);
    case 'backspace':
      return typed([...text].slice(0, -1).join(''));
    case 'C-u':
      return typed('');
  }
  return key.length === 1 && text.length < LONGEST ? typed(text + key) : model;
}

/** The open table with another filter, or with none. */
export function filtered(model: Model, filter: string | undefined): Model {
  const view = openView(model);
  if (view.name === 'process') return model;
  if (view.name === 'hosts') return withView(model, { ...view, filter, cursor: TOP });
  // With another filter it is not the processes of the group any more that it was opened from.
  return withView(model, { ...view, filter, group: undefined, cursor: TOP });
}

/** Goes to the time that was typed; one that is none stays, to be mended. */
function timed(model: Model, text: string): Model {
  if (text.trim() === '') return { ...model, typing: undefined };
  try {
    return jumped({ ...model, typing: undefined }, parseTime(text, serverNowMs(model)));
  } catch (error) {
    if (error instanceof TimeError) return { ...model, said: error.message };
    throw error;
  }
}
