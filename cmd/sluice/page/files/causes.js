// Why something was not carried: totals, rates, and what each cause means.

import { byID, el, head, list, write } from './dom.js';
import { perSecond, quote, whole, words } from './format.js';
import { meanings } from './meanings.js';

const columns = [
  { title: 'Cause', kind: 'cause' },
  { title: 'Kind', kind: 'kind' },
  { title: 'Total', short: 'total', kind: 'num total' },
  { title: 'Now', short: 'now', label: 'a second, now', kind: 'num now' },
];

// Causes draws those of samples.
export class Causes {
  #table = byID('cause-table');
  #none = byID('causes-none');
  #body = head(this.#table, columns);

  // sample draws those of a sample, in its order.
  sample(causes) {
    const items = causes ?? [];
    this.#table.hidden = items.length === 0;
    this.#none.hidden = items.length > 0;
    list(this.#body, items, (c) => c.name, row);
  }
}

function row() {
  const cells = columns.map((column) => el('td', { role: 'cell', class: column.kind, 'data-short': column.short }));
  const [cause, kind, total, now] = cells;
  const name = el('strong');
  const meaning = el('span', { class: 'meaning' });
  cause.append(name, ' ', meaning);
  const node = el('tr', { role: 'row' }, ...cells);
  const update = (c) => {
    node.className = c.rate > 0 ? 'moving' : '';
    write(name, quote(words(c.name)));
    write(meaning, meanings[c.name] ?? '');
    write(kind, quote(c.kind));
    write(total, whole(c.total));
    write(now, c.rate > 0 ? perSecond(c.rate) : '–');
  };
  return { node, update };
}
