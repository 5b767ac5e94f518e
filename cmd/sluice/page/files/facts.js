// How sluice stands: limits and what is in use of them, ways in and out, rules, kernel.

import { bar, byID, el, write } from './dom.js';
import { moment, plural, quote, share, span, volume, whole, words } from './format.js';

// Facts draws a status, and what samples know better.
export class Facts {
  #measures = {};
  #status = null;
  #shown = '';

  constructor() {
    for (const [name, title] of [['connections', 'Connections'], ['sessions', 'UDP sessions'], ['fds', 'File descriptors'], ['pipes', 'Pipes']]) {
      const measure = bar('used');
      const value = el('span', { class: 'num' });
      const why = el('span', { class: 'hint' });
      measure.node.removeAttribute('aria-hidden');
      measure.node.setAttribute('role', 'meter');
      measure.node.setAttribute('aria-label', title);
      measure.node.setAttribute('aria-valuemin', 0);
      this.#measures[name] = { measure, value, why };
      byID('limits').append(el('div', { class: 'limit' }, el('span', {}, title), value, measure.node, why));
    }
    this.rest = el('dl', { class: 'fields' });
    byID('limits').append(this.rest);
  }

  #measure(name, used, all, why = '') {
    const { measure, value, why: hint } = this.#measures[name];
    const part = share(used, all);
    write(value, all > 0 ? `${whole(used)} of ${whole(all)}` : whole(used));
    write(hint, why);
    measure.set(part);
    measure.node.classList.toggle('full', part >= 0.9);
    measure.node.setAttribute('aria-valuemax', all > 0 ? all : Math.max(1, used));
    measure.node.setAttribute('aria-valuenow', used);
  }

  // sample draws what changes each second.
  sample(sample) {
    const limits = this.#status?.limits ?? {};
    this.#measure('connections', sample.connections, limits.connections);
    this.#measure('sessions', sample.sessions, limits.sessions, limits.sessions_bound ? `bounded by ${quote(words(limits.sessions_bound))}` : '');
  }

  // status draws what seldom changes.
  status(status) {
    this.#status = status;
    const { limits = {}, use = {} } = status;
    this.sample(status);
    this.#measure('fds', use.fds ?? 0, limits.fds);
    this.#measure('pipes', use.pipes ?? 0, limits.pipes);
    const parts = [[this.rest, limitFacts(status)], [byID('ways'), ways(status)], [byID('gateway'), gateway(status)]];
    const shown = parts.map(([, nodes]) => nodes.map((n) => n.outerHTML).join('')).join('');
    if (shown === this.#shown) return; // a selection of text stays
    this.#shown = shown;
    for (const [place, nodes] of parts) place.replaceChildren(...nodes);
  }
}

function fact(title, text, kind = '') {
  return el('div', {}, el('dt', {}, title), el('dd', { class: kind }, quote(text)));
}

function limitFacts({ use = {}, limits = {} }) {
  return [
    fact('Memory', use.memory_short ? `${volume(use.memory)}, and memory is short: nothing new is taken` : volume(use.memory), use.memory_short ? 'bad' : ''),
    fact('Stalled', use.stalled ? `${plural(use.stalled, 'connection')}, whose reader takes nothing` : 'none'),
  ];
}

function ways({ inbounds, outbounds }) {
  const row = (...texts) => el('li', {}, ...texts);
  const into = (inbounds ?? []).map((i) => row(el('strong', {}, quote(i.tag)), ` ${quote(i.type)} at ${quote(i.listen)}, ${(i.network ?? []).map(quote).join(' and ')}${i.destination ? `, to ${quote(i.destination)}` : ''}`));
  const out = (outbounds ?? []).map((o) => row(el('strong', {}, quote(o.tag)), ` ${quote(o.type)}, `, el('span', { class: o.up ? 'good' : 'bad' }, o.up ? 'up' : 'down: its server cannot be reached')));
  return [
    el('h3', {}, 'In'),
    into.length ? el('ul', {}, ...into) : el('p', { class: 'hint' }, 'None is open.'),
    el('h3', {}, 'Out'),
    out.length ? el('ul', {}, ...out) : el('p', { class: 'hint' }, 'Everything goes directly.'),
  ];
}

function gateway(status) {
  const { rules = {}, kernel = {} } = status;
  const findings = (rules.findings ?? []).map((f) => el('li', {}, quote(f)));
  const standing = !rules.installed ? 'not installed by this sluice' : rules.effective ? 'in place and effective' : 'in place, and not effective';
  return [
    el('dl', { class: 'fields' },
      fact('Rules', standing, rules.installed && !rules.effective ? 'bad' : ''),
      rules.zones?.length ? fact('Zones', rules.zones.join(', ')) : '',
      fact('Kernel', kernel.release ?? ''),
      fact('UDP offload', `GRO ${kernel.gro ? 'yes' : 'no'}, GSO ${kernel.gso ? 'yes' : 'no'}`),
      fact('Pipe size', kernel.pipe_size ? volume(kernel.pipe_size) : 'none was needed yet'),
      fact('Engine', `${status.engine}, ${plural(status.reactors, 'reactor')}`),
      fact('Confined by', (status.confined ?? []).join(', ') || 'nothing'),
      fact('Log level', status.log_level ?? ''),
      fact('Version', `${status.version}, process ${status.pid}`),
      fact('Running since', moment(status.started))),
    findings.length ? el('h3', {}, 'Findings') : '',
    findings.length ? el('ul', { class: 'findings' }, ...findings) : '',
  ].filter(Boolean);
}

// figures are the numbers at the top.
export class Figures {
  #values = {};

  constructor() {
    for (const [name, title] of [['down', 'Down'], ['up', 'Up'], ['connections', 'Connections'], ['sessions', 'UDP sessions'], ['dialing', 'Dialing'], ['cpu', 'CPU'], ['memory', 'Memory'], ['uptime', 'Running for']]) {
      this.#values[name] = el('dd', {});
      byID('figures').append(el('div', { class: name }, el('dt', {}, title), this.#values[name]));
    }
  }

  sample(sample, rates, status) {
    const v = this.#values;
    write(v.down, rates[0]);
    write(v.up, rates[1]);
    write(v.connections, whole(sample.connections));
    write(v.sessions, whole(sample.sessions));
    write(v.dialing, whole(sample.dialing));
    write(v.cpu, `${(100 * (sample.cpu ?? 0)).toFixed(1)} %`);
    write(v.memory, volume(sample.memory));
    write(v.uptime, status ? span((Date.parse(sample.time) - Date.parse(status.started)) / 1000) : '–');
  }
}

// standing says the state in words.
export function standing(state) {
  const known = { serving: 'Serving', draining: 'Draining: what runs may finish, and nothing new is taken', 'handed-over': 'Handed over: another sluice serves, and what runs here may finish' };
  return known[state] ?? quote(words(state));
}
