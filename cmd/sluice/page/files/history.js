// What the plots show: the networks' rates of the last two minutes.

export const width = 120; // seconds that a plot shows

// History keeps points {time, tcp, udp, gap}: time in ms by the clock of sluice, a network
// as {down, up, opened, ended, datagramsDown, datagramsUp}, or undefined where the sample
// had no rates. gap: what was before is further away than samples are.
export class History {
  #points = [];
  #came = 0; // performance.now() of the last point

  // past adds a sample that sluice may have told before.
  past(sample) {
    const last = this.#points.at(-1);
    if (!last || Date.parse(sample.time) > last.time) this.add(sample);
  }

  add(sample) {
    const time = Date.parse(sample.time);
    const last = this.#points.at(-1);
    if (Number.isNaN(time) || time === last?.time) return;
    if (time < last?.time) this.#points = []; // the clock of sluice was set back
    const point = { time, gap: !last || time - last.time > 2500 * Math.max(1, sample.interval || 1) };
    for (const n of sample.interval > 0 ? (sample.networks ?? []) : []) {
      point[n.network] = {
        down: n.rate_down, up: n.rate_up, opened: n.opened, ended: n.ended,
        datagramsDown: n.datagrams_down ?? 0, datagramsUp: n.datagrams_up ?? 0,
      };
    }
    this.#points.push(point);
    this.#came = performance.now();
    const first = this.#points.findIndex((p) => p.time >= time - (width + 5) * 1000);
    this.#points.splice(0, first);
  }

  // end is the right edge: the last point, or, where none came since, as much later.
  end() {
    const last = this.#points.at(-1);
    const since = performance.now() - this.#came;
    return last ? last.time + (since > 2500 ? since : 0) : Date.now();
  }

  last() {
    return this.#points.at(-1);
  }

  has(point) {
    return point != null && this.#points.includes(point);
  }

  nearest(time) {
    let best = null;
    for (const p of this.#points) if (!best || Math.abs(p.time - time) < Math.abs(best.time - time)) best = p;
    return best;
  }

  // beside is the point a step away from one, or from the last.
  beside(point, step) {
    const at = this.has(point) ? this.#points.indexOf(point) : this.#points.length - 1;
    return this.#points[Math.min(this.#points.length - 1, Math.max(0, at + step))] ?? null;
  }

  // runs are the points of a network between gaps.
  runs(network) {
    const runs = [];
    let open = false;
    for (const p of this.#points) {
      if (!p[network]) {
        open = false;
        continue;
      }
      if (p.gap || !open) runs.push([]);
      runs.at(-1).push(p);
      open = true;
    }
    return runs;
  }
}
