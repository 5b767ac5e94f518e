// Those that use the most of the line: clients, and destinations.

import { bar, el, head, held, holds, list, steady, write } from './dom.js';
import { quote, rate, volume, whole } from './format.js';

const columns = (who) => [
  { title: who, kind: 'who' },
  { title: 'Rate down', short: '↓', kind: 'num down' },
  { title: 'Rate up', short: '↑', kind: 'num up' },
  { title: 'Conns', short: 'conns', label: 'connections', kind: 'num count' },
  { title: 'Sess', short: 'sess', label: 'sessions of UDP', kind: 'num count sessions' },
  { title: 'Bytes', short: '↓↑', label: 'bytes both ways, of the flows that run', kind: 'num volume' },
  { title: '', label: 'show or end', kind: 'ender' },
];

// Talkers draws one of both. which is client or destination, the name of its filter;
// hear.only(values) sets filters, hear.endOf(which, talker) asks whether to end its flows.
export class Talkers {
  #which;
  #body;
  #none;
  #keys = [];
  #hear;
  #most = 1;

  constructor(table, which, hear) {
    this.#which = which;
    this.#hear = hear;
    this.#none = el('p', { class: 'hint' }, 'None.');
    table.before(this.#none);
    this.#body = head(table, columns(which === 'client' ? 'Client' : 'Destination'));
    holds(this.#body);
  }

  // sample draws those of a sample.
  sample(talkers) {
    const address = (t) => t.address;
    let items = talkers ?? [];
    if (held(this.#body)) items = steady(items, address, this.#keys);
    this.#keys = items.map(address);
    this.#most = Math.max(1, ...items.map((t) => t.rate_down + t.rate_up));
    this.#none.hidden = items.length > 0;
    this.#body.parentElement.hidden = items.length === 0;
    list(this.#body, items, address, () => this.#row());
  }

  #row() {
    let talker;
    const cells = columns('').map((column) => el('td', { role: 'cell', class: column.kind, 'data-short': column.short }));
    const [who, down, up, connections, sessions, bytes, ender] = cells;
    const name = el('span', { class: 'name' });
    const address = el('span', { class: 'address' });
    const held = el('span', { class: 'badge' }, 'held back');
    const measure = bar('down', 'up');
    const show = el('button', { type: 'button', onclick: () => this.#hear.only({ [this.#which]: talker.address }) }, 'Flows');
    const end = el('button', { type: 'button', class: 'end', onclick: () => this.#hear.endOf(this.#which, talker) }, 'End');
    who.append(name, address, ' ', held, measure.node);
    ender.append(show, end);
    const update = (t) => {
      talker = t;
      write(name, quote(t.name));
      write(address, quote(t.address));
      who.title = quote(t.name ? `${t.name} ${t.address}` : t.address);
      held.hidden = !t.held;
      measure.set(t.rate_down / this.#most, t.rate_up / this.#most);
      write(down, rate(t.rate_down));
      write(up, rate(t.rate_up));
      write(connections, whole(t.connections));
      write(sessions, whole(t.sessions));
      write(bytes, volume(t.bytes_down + t.bytes_up));
      show.setAttribute('aria-label', `flows of ${quote(t.name || t.address)}`);
      end.setAttribute('aria-label', `end the flows of ${quote(t.name || t.address)}`);
    };
    return { node: el('tr', { role: 'row' }, ...cells), update };
  }
}
