// All that is known of one flow, below its row.

import { el, write } from './dom.js';
import { moment, quote, rate, volume, whole, words } from './format.js';
import { meanings } from './meanings.js';

const fields = [
  ['ID', (f) => f.id],
  ['Network', (f) => f.network],
  ['State', (f) => words(f.gone ? 'ended' : f.state)],
  ['Inbound', (f) => f.inbound],
  ['Client', (f) => f.client],
  ['Destination', (f) => f.destination],
  ['Name', (f) => f.name],
  ['Reached at', (f) => f.dialed],
  ['Source used', (f) => f.source],
  ['Outbound', (f) => f.outbound],
  ['Server', (f) => f.server],
  ['Rule', (f) => (f.rule == null ? 'none was met' : `${f.rule}, counted from 0`)],
  ['Mark', (f) => `0x${(f.mark ?? 0).toString(16)}`],
  ['Started', (f) => moment(f.started)],
  ['Last activity', (f) => moment(f.active)],
  ['Down', (f) => `${volume(f.bytes_down)} (${whole(f.bytes_down)} bytes)${datagrams(f, f.datagrams_down)}, ${rate(f.rate_down)}`],
  ['Up', (f) => `${volume(f.bytes_up)} (${whole(f.bytes_up)} bytes)${datagrams(f, f.datagrams_up)}, ${rate(f.rate_up)}`],
  ['Held back', (f) => (f.held ? 'yes: its client has used up its rate' : '')],
  ['Ended', (f) => f.ended && moment(f.ended)],
  ['Cause', (f) => f.cause && `${words(f.cause)}. ${meanings[f.cause] ?? ''}`],
];

function datagrams(flow, n) {
  return flow.network === 'udp' ? ` in ${whole(n)} datagrams` : '';
}

// host is an ADDR:PORT without its port, and without brackets.
export const host = (address) => String(address ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

// detail is the row; a field that says nothing is left out.
export function detail(first, columns, hear) {
  let flow = first;
  const places = fields.map(([title]) => {
    const value = el('dd', {});
    return { node: el('div', {}, el('dt', {}, title), value), value };
  });
  const buttons = el('div', { class: 'buttons' },
    el('button', { type: 'button', onclick: () => hear.only({ client: host(flow.client) }) }, 'Only this client'),
    el('button', { type: 'button', onclick: () => hear.only({ destination: host(flow.destination) }) }, 'Only this destination'));
  const cell = el('td', { role: 'cell', colspan: columns }, el('dl', { class: 'fields' }, ...places.map((p) => p.node)), buttons);
  const update = (item) => {
    flow = item.flow;
    fields.forEach(([, say], i) => {
      const text = say(flow);
      places[i].node.hidden = !text;
      write(places[i].value, quote(text || ''));
    });
  };
  return { node: el('tr', { role: 'row', class: 'detail' }, cell), update };
}
