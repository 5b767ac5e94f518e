// The table of flows: sorted by a column, held still while somebody points at it; a row
// opens to all that is known of its flow.

import { byID, el, head, held, holds, list, steady, write } from './dom.js';
import { answer } from './link.js';
import { plural, quote, rate, span, volume, words } from './format.js';
import { detail } from './detail.js';

const text = (pick) => (a, b) => String(pick(a) ?? '').localeCompare(String(pick(b) ?? ''), 'en', { numeric: true });
const most = (pick) => (a, b) => (pick(b) ?? 0) - (pick(a) ?? 0);
const oldest = (pick) => (a, b) => Date.parse(pick(a)) - Date.parse(pick(b));
const both = (f) => (f.rate_up ?? 0) + (f.rate_down ?? 0);

// Columns, each with the order that sluice chooses the flows by, and that of the rows.
// rising: the least is first. fixed: sluice's order is not turned with that of the rows.
const columns = [
  { title: '', label: 'details', kind: 'opener' },
  { title: 'Client', kind: 'client', sort: 'client', rising: true, compare: text((f) => f.client) },
  { title: 'Destination', kind: 'destination', sort: 'destination', rising: true, compare: text((f) => f.name || f.destination) },
  { title: 'Net', name: 'network', kind: 'network', sort: 'rate', rising: true, fixed: true, compare: text((f) => f.network) },
  { title: 'State', kind: 'state', sort: 'rate', rising: true, fixed: true, compare: text((f) => f.state) },
  { title: 'Rate down', short: '↓', kind: 'num down', sort: 'rate', compare: most((f) => f.rate_down) },
  { title: 'Rate up', short: '↑', kind: 'num up', sort: 'rate', compare: most((f) => f.rate_up) },
  { title: 'Down', short: '↓', name: 'volume down', kind: 'num volume came', sort: 'bytes', compare: most((f) => f.bytes_down) },
  { title: 'Up', short: '↑', name: 'volume up', kind: 'num volume went', sort: 'bytes', compare: most((f) => f.bytes_up) },
  { title: 'Age', short: 'age', kind: 'num age', sort: 'age', compare: oldest((f) => f.started) },
  { title: 'Idle', short: 'idle', kind: 'num idle', sort: 'idle', compare: oldest((f) => f.active) },
  { title: '', label: 'end', kind: 'ender' },
];
const busiest = { title: 'Rate', sort: 'rate', compare: most(both) };

const choices = [busiest, ...columns.filter((c) => c.compare)];

// Flows draws the flows of samples. hear.order(sort) chooses other flows, hear.only(values)
// sets filters, hear.end(flow) asks whether to end one.
export class Flows {
  #hear;
  #table = byID('flow-table');
  #body;
  #column = busiest;
  #turned = false;
  #keys = []; // IDs, as they are shown
  #flows = [];
  #open = null; // the flow whose row is open
  #asking = false;
  #now = Date.now();

  constructor(hear) {
    this.#hear = hear;
    this.#body = head(this.#table, columns, (column) => this.#header(column));
    holds(this.#body);
    const sort = byID('sort');
    sort.append(...choices.map((c, i) => el('option', { value: i }, c.name ?? c.title.toLowerCase())));
    sort.addEventListener('change', () => this.#choose(choices[sort.value], false));
    byID('turn').addEventListener('click', () => this.#choose(this.#column, !this.#turned));
    this.#arrows();
  }

  #header(column) {
    if (!column.compare) return '';
    return el('button', { type: 'button', class: 'sort', onclick: () => this.#choose(column, column === this.#column && !this.#turned) }, column.title);
  }

  #choose(column, turned) {
    this.#column = column;
    this.#turned = turned;
    byID('sort').value = choices.indexOf(column);
    this.#arrows();
    this.#hear.order((turned && !column.fixed ? '-' : '') + column.sort);
    this.#draw(false);
  }

  #arrows() {
    [...this.#table.tHead.rows[0].cells].forEach((cell, i) => {
      const column = columns[i];
      if (!column.compare) return;
      const sorted = column === this.#column;
      cell.toggleAttribute('data-sorted', sorted);
      if (sorted) cell.setAttribute('aria-sort', Boolean(column.rising) !== this.#turned ? 'ascending' : 'descending');
      else cell.removeAttribute('aria-sort');
    });
  }

  // sample draws those of a sample.
  sample(sample) {
    this.#now = Date.parse(sample.time);
    this.#flows = sample.flows ?? [];
    const total = sample.total ?? this.#flows.length;
    const still = this.#open || held(this.#body);
    const some = total > this.#flows.length ? `${plural(total, 'flow')}; ${this.#flows.length} are shown, ` : `${plural(total, 'flow')}, `;
    write(byID('flows-count'), total ? `${some}${this.#ordered(still)}` : 'No flows.');
    if (this.#open) this.#follow();
    this.#draw(still);
  }

  #ordered(still) {
    const name = this.#column.name ?? this.#column.title.toLowerCase();
    return `sorted by ${name}${this.#turned ? ', turned round' : ''}${still ? '; rows keep their places meanwhile' : ''}.`;
  }

  // #follow keeps the open flow, also where it is not among those of the sample.
  #follow() {
    const fresh = this.#flows.find((f) => f.id === this.#open.id);
    if (fresh) {
      // A sample is brief, and what was asked for knows better.
      const { destination, dialed, source, server } = this.#open;
      this.#open = { ...fresh, destination, dialed, source, server };
      this.#flows = this.#flows.map((f) => (f === fresh ? this.#open : f));
      return;
    }
    if (!this.#open.ended && !this.#open.gone) this.#ask({ ...this.#open, rate_up: null, rate_down: null });
    this.#flows = [...this.#flows, this.#open];
  }

  // #ask asks for all that is known of a flow.
  async #ask(flow) {
    if (this.#asking) return;
    this.#asking = true;
    const gone = { ...flow, gone: true, rate_up: 0, rate_down: 0 };
    const fresh = await answer(`v1/flows/${encodeURIComponent(flow.id)}`).catch((error) => (error.status === 404 ? gone : flow));
    this.#asking = false;
    if (this.#open?.id !== flow.id) return;
    this.#open = { rate_up: flow.rate_up, rate_down: flow.rate_down, ...fresh };
    this.#flows = this.#flows.map((f) => (f.id === flow.id ? this.#open : f));
    this.#draw(true);
  }

  #draw(still) {
    const id = (f) => f.id;
    const turn = this.#turned ? -1 : 1;
    let rows = [...this.#flows].sort((a, b) => turn * this.#column.compare(a, b) || a.id.localeCompare(b.id));
    if (still) rows = steady(rows, id, this.#keys);
    this.#keys = rows.map(id);
    const open = this.#open?.id;
    const items = rows.flatMap((f) => (f.id === open ? [{ key: f.id, flow: f }, { key: `${f.id} detail`, flow: f, detail: true }] : [{ key: f.id, flow: f }]));
    list(this.#body, items, (item) => item.key, (item) => (item.detail ? detail(item.flow, columns.length, this.#hear) : this.#row()));
  }

  #toggle(flow) {
    this.#open = this.#open?.id === flow.id ? null : flow;
    if (this.#open) this.#ask(flow);
    this.#draw(true);
  }

  #row() {
    let flow;
    const cells = columns.map((column) => el('td', { role: 'cell', class: column.kind, 'data-short': column.short }));
    const [opener, client, destination, network, state, rateDown, rateUp, down, up, age, idle, ender] = cells;
    const open = el('button', { type: 'button', class: 'open', onclick: () => this.#toggle(flow) });
    const end = el('button', { type: 'button', class: 'end', onclick: () => this.#hear.end(flow) }, 'End');
    const name = el('span', { class: 'name' });
    const address = el('span', { class: 'address' });
    opener.append(open);
    ender.append(end);
    destination.append(name, address);
    const press = (event) => !event.target.closest('button') && getSelection().isCollapsed && this.#toggle(flow);
    const node = el('tr', { role: 'row', onclick: press }, ...cells);
    const update = ({ flow: f }) => {
      flow = f;
      const opened = this.#open?.id === f.id;
      node.className = [f.gone || f.ended ? 'gone' : '', f.held ? 'held' : '', opened ? 'opened' : ''].join(' ').trim();
      open.setAttribute('aria-expanded', opened);
      open.setAttribute('aria-label', `details of ${f.id}, ${f.client} to ${quote(f.name || f.destination)}`);
      end.setAttribute('aria-label', `end ${f.id}, ${f.client} to ${quote(f.name || f.destination)}`);
      end.disabled = Boolean(f.gone || f.ended);
      write(client, quote(f.client));
      write(name, quote(f.name));
      write(address, quote(f.destination));
      destination.title = quote(f.name ? `${f.name} ${f.destination}` : f.destination);
      write(network, quote(f.network));
      state.dataset.network = quote(f.network);
      write(state, f.gone || f.ended ? 'ended' : f.held ? 'held back' : quote(words(f.state)));
      write(rateDown, rate(f.rate_down));
      write(rateUp, rate(f.rate_up));
      write(down, volume(f.bytes_down));
      write(up, volume(f.bytes_up));
      write(age, span((this.#now - Date.parse(f.started)) / 1000));
      write(idle, span((this.#now - Date.parse(f.active)) / 1000));
    };
    return { node, update };
  }
}
