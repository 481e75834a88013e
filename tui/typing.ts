import { TOP } from './cursor.ts';
import { type Model, openView, withView } from './model.ts';

/** Longest filter that a query takes. */
const LONGEST = 500;

/** A key while a filter is typed: it goes into the filter, or ends the typing. */
export function onTyping(model: Model, typing: string, key: string): Model {
  switch (key) {
    case 'escape':
      return { ...model, typing: undefined };
    case 'enter':
      return filtered({ ...model, typing: undefined }, typing.trim() || undefined);
    case 'backspace':
      return { ...model, typing: [...typing].slice(0, -1).join('') };
    case 'C-u':
      return { ...model, typing: '' };
  }
  return key.length === 1 && typing.length < LONGEST ? { ...model, typing: typing + key } : model;
}

/** The open table with another filter, or with none. */
export function filtered(model: Model, filter: string | undefined): Model {
  const view = openView(model);
  if (view.name === 'process') return model;
  if (view.name === 'hosts') return withView(model, { ...view, filter, cursor: TOP });
  // With another filter it is not the processes of the group any more that it was opened from.
  return withView(model, { ...view, filter, group: undefined, cursor: TOP });
}
