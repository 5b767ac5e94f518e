// Flows are ended once a person has said so.

import { byID, write } from './dom.js';
import { answer } from './link.js';
import { plural, quote } from './format.js';

const dialog = byID('ask');

// ask shows a question, and tells whether the answer was yes.
function ask(title, text, hint) {
  write(byID('ask-title'), title);
  write(byID('ask-text'), text);
  write(byID('ask-hint'), hint);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

let silence = 0;

// say tells what has come of something, for a while.
export function say(text, bad = false) {
  const said = byID('said');
  said.className = bad ? 'bad' : '';
  said.hidden = false;
  write(said, text);
  clearTimeout(silence);
  silence = setTimeout(() => {
    said.hidden = true;
  }, 8000);
}

async function end(path) {
  try {
    const { ended } = (await answer(path, { method: 'DELETE' })) ?? {};
    say(ended ? `${plural(ended, 'flow')} ended.` : 'None was left to end.');
  } catch (error) {
    if (error.status === 404) say('It had ended already.');
    else say(`Nothing was ended: ${quote(error.message)}`, true);
  }
}

const reset = 'Connections are reset, so that both sides see them break off; sessions give their socket back. New ones may come.';

export async function endFlow(flow) {
  const what = flow.network === 'udp' ? 'session' : 'connection';
  const to = flow.name ? `${flow.name} (${flow.destination})` : flow.destination;
  if (await ask(`End this ${what}?`, `${quote(flow.client)} to ${quote(to)}`, reset)) await end(`v1/flows/${encodeURIComponent(flow.id)}`);
}

export async function endOf(which, talker) {
  const of = talker.name ? `${talker.name} (${talker.address})` : talker.address;
  const count = `${plural(talker.connections, 'connection')} and ${plural(talker.sessions, 'session')} now`;
  const title = which === 'client' ? 'End all flows of this client?' : 'End all flows to this destination?';
  if (await ask(title, `${quote(of)}: ${count}`, reset)) await end(`v1/flows?${new URLSearchParams({ [which]: talker.address })}`);
}

export async function endMatching(parameters, text, total) {
  if (await ask('End all flows that match?', `${text}: ${plural(total, 'flow')} now`, reset)) await end(`v1/flows?${parameters}`);
}
