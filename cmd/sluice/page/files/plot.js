// Plots of rates: two minutes that move, drawn as SVG at the size that there is.

import { el, write } from './dom.js';
import { clock, perSecond, rate, tick } from './format.js';
import { width } from './history.js';

const height = 150; // pixels, as page.css has it
const foot = 18; // pixels below the axis
const top = 8;

function svg(name, attributes = {}) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// scale is the top of the axis and the step of its lines, in bits a second.
function scale(most) {
  const target = Math.max(most * 1.05, 1000) / 3;
  const power = 10 ** Math.floor(Math.log10(target));
  const step = [1, 2, 5, 10].find((n) => n * power >= target) * power;
  return { step, most: step * Math.max(1, Math.ceil((most * 1.05) / step)) };
}

// Plot shows one network. Its points are those of a History, in which gap begins a new
// line.
export class Plot {
  #network;
  #history;
  #choose;
  #width = 0;
  #at = null; // the chosen point

  // choose is called with the time that somebody points at, or null.
  constructor(figure, network, history, choose) {
    this.#network = network;
    this.#history = history;
    this.#choose = choose;
    this.#make(figure);
    new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry.contentRect.width);
      this.draw();
    }).observe(this.box);
  }

  #make(figure) {
    const title = this.#network.toUpperCase();
    this.values = {};
    const value = (name, label, kind = '') => {
      this.values[name] = el('dd', {});
      return el('div', { class: kind }, el('dt', {}, label), this.values[name]);
    };
    const legend = el('dl', { class: 'legend' }, value('down', 'down', 'down'), value('up', 'up', 'up'));
    if (this.#network === 'udp') legend.append(value('datagrams', 'datagrams'));
    legend.append(value('opened', 'opened'), value('ended', 'ended'));
    this.when = el('span', { class: 'when' });
    this.spoken = el('span', { class: 'unseen', role: 'status' });
    this.graph = svg('svg', { role: 'img', tabindex: '0', 'aria-label': `${title}: rates of the last two minutes. Arrow keys read earlier values.` });
    this.parts = {};
    for (const [name, kind] of [['gaps', 'g'], ['grid', 'g'], ['area', 'path'], ['up', 'path'], ['down', 'path'], ['labels', 'g'], ['cursor', 'g']]) {
      this.parts[name] = svg(kind, { class: name });
      this.graph.append(this.parts[name]);
    }
    this.box = el('div', { class: 'plot' }, this.graph);
    figure.replaceChildren(el('figcaption', {}, el('h3', {}, title, ' ', this.when), legend), this.box, this.spoken);
    this.#listen();
  }

  #listen() {
    const point = (event) => {
      const x = event.clientX - this.graph.getBoundingClientRect().left;
      this.#choose(this.#history.nearest(this.#history.end() - width * 1000 * (1 - x / this.#width)));
    };
    this.graph.addEventListener('pointermove', point);
    this.graph.addEventListener('pointerdown', point);
    this.graph.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && this.#choose(null));
    this.graph.addEventListener('blur', () => this.#choose(null));
    this.graph.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === 'Escape') this.#choose(null);
      if (!step) return;
      event.preventDefault();
      this.#choose(this.#history.beside(this.#at, step));
      write(this.spoken, `${this.when.textContent} down ${this.values.down.textContent}, up ${this.values.up.textContent}`);
    });
  }

  // mark shows the values of a point, or with null those of the last one.
  mark(point) {
    this.#at = point;
    const shown = point ?? this.#history.last();
    const v = shown?.[this.#network];
    write(this.when, point ? `at ${clock(point.time)}` : '');
    write(this.values.down, rate(v?.down));
    write(this.values.up, rate(v?.up));
    write(this.values.opened, v ? perSecond(v.opened) : '–');
    write(this.values.ended, v ? perSecond(v.ended) : '–');
    if (this.values.datagrams) write(this.values.datagrams, v ? `${perSecond(v.datagramsDown)} down, ${perSecond(v.datagramsUp)} up` : '–');
    this.#cursor();
  }

  #x(time) {
    return this.#width * (1 - (this.#history.end() - time) / (width * 1000));
  }

  #y(bytes) {
    return top + (height - foot - top) * (1 - (8 * bytes) / this.most);
  }

  // draw draws it anew.
  draw() {
    if (!this.#width) return;
    this.graph.setAttribute('viewBox', `0 0 ${this.#width} ${height}`);
    const runs = this.#history.runs(this.#network);
    let most = 0;
    for (const run of runs) for (const p of run) most = Math.max(most, 8 * p[this.#network].down, 8 * p[this.#network].up);
    const axis = scale(most);
    this.most = axis.most;
    this.#grid(axis);
    this.#gaps(runs);
    this.#lines(runs);
    this.mark(this.#history.has(this.#at) ? this.#at : null);
  }

  #grid({ step, most }) {
    const lines = [];
    const labels = [];
    for (let n = 0; n <= most + step / 2; n += step) {
      const y = this.#y(n / 8);
      lines.push(svg('line', { x1: 0, x2: this.#width, y1: y, y2: y, class: n === 0 ? 'axis' : '' }));
      if (n > 0) labels.push(label(2, y + 11, tick(n / 8)));
    }
    const every = this.#width < 300 ? 60 : 30;
    for (let s = 0; s < width; s += every) {
      const x = this.#width * (1 - s / width);
      if (s > 0) lines.push(svg('line', { x1: x, x2: x, y1: top, y2: height - foot }));
      const text = s === 0 ? 'now' : `−${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
      labels.push(label(s === 0 ? x - 2 : x, height - 4, text, s === 0 ? 'end' : 'middle'));
    }
    this.parts.grid.replaceChildren(...lines);
    this.parts.labels.replaceChildren(...labels);
  }

  #lines(runs) {
    const path = (way, run) => run.map((p, i) => `${i ? 'L' : 'M'}${this.#x(p.time).toFixed(1)} ${this.#y(p[this.#network][way]).toFixed(1)}`).join('');
    const base = height - foot;
    const closed = (run) => `${path('down', run)}V${base}H${this.#x(run[0].time).toFixed(1)}Z`;
    this.parts.area.setAttribute('d', runs.map(closed).join(''));
    for (const way of ['down', 'up']) {
      // A point without neighbours is drawn as a dash of a pixel.
      this.parts[way].setAttribute('d', runs.map((run) => path(way, run) + (run.length === 1 ? 'h1' : '')).join(''));
    }
  }

  // gaps shades the times between runs, and that since the last one where it is long.
  #gaps(runs) {
    const shades = [];
    const shade = (from, to) => shades.push(svg('rect', { x: this.#x(from), y: top, width: Math.max(0, this.#x(to) - this.#x(from)), height: height - foot - top }));
    runs.forEach((run, i) => i > 0 && shade(runs[i - 1].at(-1).time, run[0].time));
    const last = runs.at(-1)?.at(-1);
    if (last && this.#history.end() - last.time > 2500) shade(last.time, this.#history.end());
    this.parts.gaps.replaceChildren(...shades);
  }

  #cursor() {
    const v = this.#at?.[this.#network];
    const parts = [];
    if (this.#at && this.#width) {
      const x = this.#x(this.#at.time);
      parts.push(svg('line', { x1: x, x2: x, y1: top, y2: height - foot }));
      if (v) for (const way of ['up', 'down']) parts.push(svg('circle', { cx: x, cy: this.#y(v[way]), r: 3, class: way }));
    }
    this.parts.cursor.replaceChildren(...parts);
  }
}

function label(x, y, text, anchor = 'start') {
  const node = svg('text', { x, y, 'text-anchor': anchor });
  node.textContent = text;
  return node;
}
