// Which flows are shown: the filters and the order, kept in the address of the page.

import { byID, el, write } from './dom.js';
import { answer } from './link.js';
import { quote } from './format.js';

const names = ['client', 'destination', 'network', 'inbound'];
const shown = 50; // flows, at most

// Filter calls changed(query) with the parameters of /v1/events, once sluice has taken
// them.
export class Filter {
  #form = byID('filter');
  #problem = byID('filter-problem');
  #changed;
  #values = {};
  #sort = 'rate';
  #tried = null; // what sluice is asked about, if anything

  constructor(changed) {
    this.#changed = changed;
    const given = new URLSearchParams(location.hash.slice(1));
    for (const name of names) if (given.get(name)) this.#values[name] = given.get(name);
    this.#show();
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.set(this.#read());
    });
    this.#form.addEventListener('change', (event) => names.includes(event.target.name) && this.set(this.#read()));
    byID('clear').addEventListener('click', () => this.set({}));
  }

  #read() {
    const values = {};
    for (const name of names) {
      const text = this.#form.elements[name].value.trim();
      if (text) values[name] = text;
    }
    return values;
  }

  #show() {
    for (const name of names) {
      const field = this.#form.elements[name];
      const value = this.#values[name] ?? '';
      if (field.localName === 'select' && ![...field.options].some((o) => o.value === value)) {
        field.append(el('option', { value }, quote(value)));
      }
      field.value = value;
    }
    byID('end-all').disabled = this.empty();
  }

  // inbounds offers those that are there.
  inbounds(tags) {
    const field = this.#form.elements.inbound;
    const chosen = this.#values.inbound;
    const wanted = [...new Set(chosen ? [...tags, chosen] : tags)];
    if (JSON.stringify([...field.options].slice(1).map((o) => o.value)) === JSON.stringify(wanted)) return;
    field.replaceChildren(field.options[0], ...wanted.map((tag) => el('option', { value: tag }, quote(tag))));
    field.value = chosen ?? '';
  }

  empty() {
    return Object.keys(this.#values).length === 0;
  }

  // parameters are the filters alone.
  parameters() {
    return new URLSearchParams(this.#values);
  }

  // query is what /v1/events is asked.
  query() {
    const query = this.parameters();
    query.set('sort', this.#sort);
    query.set('limit', shown);
    return `${query}&history`;
  }

  text() {
    return Object.entries(this.#values).map(([name, value]) => `${name} ${quote(value)}`).join(', ');
  }

  order(sort) {
    if (sort === this.#sort) return;
    this.#sort = sort;
    this.#changed(this.query());
  }

  // set takes other filters, unless sluice refuses them.
  async set(values) {
    if (new URLSearchParams(values).toString() === this.parameters().toString()) {
      this.#complain('');
      return;
    }
    const query = new URLSearchParams(values);
    query.set('limit', 1);
    const mine = query.toString();
    if (mine === this.#tried) return; // Enter is both a change and a submission
    this.#tried = mine;
    const problem = await answer(`v1/flows?${query}`).then(() => null, (error) => (error.status === 400 ? error : null));
    if (mine !== this.#tried) return;
    this.#tried = null;
    this.#complain(problem?.message ?? '');
    if (problem) return;
    this.#values = values;
    this.#show();
    history.replaceState(null, '', this.empty() ? location.pathname + location.search : `#${this.parameters()}`);
    this.#changed(this.query());
  }

  #complain(text) {
    write(this.#problem, quote(text));
    this.#problem.hidden = !text;
  }
}
