// The page: what comes over the link is given to the parts that draw it.

import { byID, write } from './dom.js';
import { clock, plural, quote, rate } from './format.js';
import { Link, answer } from './link.js';
import { History } from './history.js';
import { Plot } from './plot.js';
import { Filter } from './filter.js';
import { Flows } from './flows.js';
import { Talkers } from './talkers.js';
import { Causes } from './causes.js';
import { Facts, Figures, standing } from './facts.js';
import { endFlow, endMatching, endOf } from './ask.js';

const history = new History();
const choose = (point) => plots.forEach((plot) => plot.mark(point));
const plots = ['tcp', 'udp'].map((network) => new Plot(byID(`plot-${network}`), network, history, choose));
const figures = new Figures();
const facts = new Facts();
const causes = new Causes();

let status = null;
let sample = null;

const link = new Link({ status: takeStatus, sample: takeSample, state: showLink, token: askToken, past: (old) => history.past(old) });
const filter = new Filter((query) => link.open(query));
const only = (values) => {
  filter.set(values);
  byID('flows').scrollIntoView();
};
const flows = new Flows({ order: (sort) => filter.order(sort), only, end: endFlow });
const clients = new Talkers(byID('clients'), 'client', { only, endOf });
const destinations = new Talkers(byID('destinations'), 'destination', { only, endOf });

function takeStatus(fresh) {
  status = fresh;
  write(byID('version'), quote(status.version));
  write(byID('state'), standing(status.state));
  byID('state').dataset.state = status.state;
  filter.inbounds((status.inbounds ?? []).map((i) => i.tag));
  facts.status(status);
  showHealth(status.health);
}

function takeSample(fresh) {
  history.add(fresh);
  const health = JSON.stringify(fresh.health);
  if (sample && JSON.stringify(sample.health) !== health) link.status();
  sample = fresh;
  plots.forEach((plot) => plot.draw());
  figures.sample(sample, ['rate_down', 'rate_up'].map(total), status);
  facts.sample(sample);
  flows.sample(sample);
  clients.sample(sample.clients);
  destinations.sample(sample.destinations);
  causes.sample(sample.refusals);
  showHealth(sample.health);
}

// total is that of both networks.
function total(way) {
  return rate(sample.interval > 0 ? (sample.networks ?? []).reduce((sum, n) => sum + n[way], 0) : null);
}

function showHealth(health) {
  const ill = health && !health.well;
  byID('health').hidden = !ill;
  const text = ill ? `Not well: ${(health.causes ?? []).map(quote).join('; ') || 'sluice does not say why'}.` : '';
  write(byID('health'), text);
  const title = `${ill ? '! ' : ''}sluice on ${location.hostname}`;
  if (document.title !== title) document.title = title;
}

function showLink({ state, since, why }) {
  const texts = {
    opening: 'Connecting …',
    live: 'Live',
    paused: 'Paused while nobody looked',
    token: 'The token is missing',
    lost: `No connection since ${clock(since)}${why ? ` (${quote(why)})` : ''}; trying again`,
  };
  for (const node of [byID('link'), byID('main')]) node.dataset.link = state;
  write(byID('link'), texts[state]);
}

function askToken() {
  const dialog = byID('token');
  if (!dialog.open) dialog.showModal();
  byID('token-text').focus();
}

async function giveToken(event) {
  event.preventDefault();
  const field = byID('token-text');
  const problem = byID('token-problem');
  try {
    const body = JSON.stringify({ token: field.value.trim() });
    await answer('v1/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    problem.hidden = true;
    field.value = '';
    byID('token').close();
    link.open();
  } catch (error) {
    problem.hidden = false;
    write(problem, error.status === 401 ? 'That is not the token.' : quote(error.message));
    field.select();
  }
}

function chooseTheme() {
  const theme = byID('theme');
  theme.value = document.documentElement.dataset.theme ?? '';
  theme.addEventListener('change', () => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem('theme', theme.value);
    } catch {
      // It is chosen for as long as the page is open.
    }
  });
}

byID('token-form').addEventListener('submit', giveToken);
byID('token').addEventListener('cancel', (event) => event.preventDefault());
byID('end-all').addEventListener('click', () => endMatching(filter.parameters(), filter.text(), sample?.total ?? 0));
setInterval(() => byID('main').dataset.link === 'lost' && plots.forEach((plot) => plot.draw()), 1000);
chooseTheme();
link.open(filter.query());
