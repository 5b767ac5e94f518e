// The link to sluice: its status once, then the stream of samples, which comes back by
// itself.

const silence = 5e3; // ms without a sample, after which the link counts as lost
const renewal = 15e3; // ms after which a silent stream is opened anew
const pause = 2e3; // ms between two tries
const unseen = 300e3; // ms that a hidden page goes on, since samples cost the gateway work

// problem is what sluice says of a refusal.
async function problem(response) {
  const said = await response.json().catch(() => null);
  const error = new Error(said?.detail || said?.title || `sluice has answered with status ${response.status}`);
  error.status = response.status;
  return error;
}

// answer is what a path says; an error bears what sluice has said of it, and the status.
export async function answer(path, options = {}) {
  const response = await fetch(path, { headers: { Accept: 'application/json' }, cache: 'no-store', ...options });
  if (!response.ok) throw await problem(response);
  return response.json().catch(() => null);
}

// refusal is why a path gives no stream, which an EventSource does not tell.
async function refusal(path) {
  const asked = new AbortController();
  const response = await fetch(path, { signal: asked.signal }).catch(() => null);
  if (response && !response.ok) return (await problem(response)).message;
  asked.abort();
  return '';
}

// Link calls hear.status(Status), hear.past(Sample), hear.sample(Sample), hear.token() and
// hear.state({state, since, why}) as things come. A state is opening, live, lost, paused
// or token.
export class Link {
  #hear;
  #query = '';
  #source = null;
  #heard = 0; // performance.now() of the last sample, or of the last try
  #lost = null; // Date.now() since when there is none
  #attempt = 0; // what an earlier one still hears counts no more
  #told = 0; // statuses that came by the stream
  #retry = 0;
  #closed = 0; // streams that were refused, one after the other
  #hiding = 0;
  #paused = false;

  constructor(hear) {
    this.#hear = hear;
    setInterval(() => this.#watch(), 1000);
    document.addEventListener('visibilitychange', () => this.#seen());
  }

  // open opens the stream, with another query where one is given.
  async open(query = this.#query) {
    this.#query = query;
    this.#close();
    this.#attempt++;
    this.#heard = performance.now();
    if (await this.status()) this.#stream();
  }

  // status asks for the status, and tells whether it came.
  async status() {
    const mine = this.#attempt;
    const told = this.#told;
    try {
      const status = await answer('v1/status');
      if (mine !== this.#attempt) return false;
      if (told === this.#told) this.#hear.status(status); // else there is a later one
      return true;
    } catch (error) {
      if (mine !== this.#attempt) return false;
      if (error.status === 401) {
        this.#close();
        this.#hear.state({ state: 'token' });
        this.#hear.token();
      } else {
        this.#again(error.status ? error.message : '');
      }
      return false;
    }
  }

  #stream() {
    const source = new EventSource(`v1/events?${this.#query}`);
    let opened = 0;
    this.#source = source;
    source.onopen = () => {
      this.#closed = 0;
      if (opened++ > 0) this.status();
    };
    source.addEventListener('status', (event) => {
      this.#told++;
      this.#hear.status(JSON.parse(event.data));
    });
    source.addEventListener('past', (event) => this.#hear.past(JSON.parse(event.data)));
    source.addEventListener('sample', (event) => {
      this.#heard = performance.now();
      this.#lost = null;
      this.#hear.state({ state: 'live' });
      this.#hear.sample(JSON.parse(event.data));
    });
    source.onerror = () => {
      if (source !== this.#source) return;
      if (source.readyState !== EventSource.CLOSED) this.#lose('');
      else if (this.#closed++ === 0) this.#again('');
      else refusal(source.url).then((why) => source === this.#source && this.#again(why));
    };
  }

  #close() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #lose(why) {
    this.#lost ??= Date.now();
    this.#hear.state({ state: 'lost', since: this.#lost, why });
  }

  #again(why) {
    this.#close();
    this.#lose(why);
    this.#retry = setTimeout(() => this.open(), pause);
  }

  #watch() {
    if (!this.#source) return;
    const silent = performance.now() - this.#heard;
    if (silent > silence) this.#lose('');
    if (silent > renewal) this.open();
  }

  #seen() {
    clearTimeout(this.#hiding);
    if (document.hidden) {
      this.#hiding = setTimeout(() => {
        this.#close();
        this.#paused = true;
        this.#hear.state({ state: 'paused' });
      }, unseen);
    } else if (this.#paused) {
      this.#paused = false;
      this.open();
    }
  }
}
