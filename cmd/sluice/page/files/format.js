// Numbers and texts as a person reads them.

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];

// scaled is n in three digits with a prefix of a power of ten: 94.2 and M.
function scaled(n) {
  let i = 0;
  while (n >= 999.5 && i < prefixes.length - 1) {
    n /= 1000;
    i++;
  }
  const digits = i === 0 ? (n < 9.95 && n % 1 ? 1 : 0) : n < 9.995 ? 2 : n < 99.95 ? 1 : 0;
  return [n.toFixed(digits), prefixes[i]];
}

function unit(n, name) {
  if (!Number.isFinite(n)) return '–';
  const [digits, prefix] = scaled(n);
  return `${digits} ${prefix}${name}`;
}

// rate is bytes a second as bits a second.
export const rate = (bytes) => (bytes == null ? '–' : unit(8 * bytes, 'bit/s'));
// tick is a rate without digits that say nothing.
export const tick = (bytes) => rate(bytes).replace(/\.0+(?= )|(\.\d*?)0+(?= )/, '$1');
export const volume = (bytes) => unit(bytes ?? 0, 'B');
export const perSecond = (n) => unit(n ?? 0, '/s');

// whole is a number of things, with narrow spaces between thousands.
export const whole = (n) => String(Math.round(n ?? 0)).replace(/\B(?=(\d{3})+$)/g, '\u202f');

// span is a time in seconds, in its largest unit; below ten of that, in two.
export function span(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => s >= size);
  const [size, name] = parts[first];
  const [smaller, smallerName] = parts[first + 1];
  const rest = s < 10 * size ? Math.floor((s % size) / smaller) : 0;
  return `${Math.floor(s / size)} ${name}` + (rest ? ` ${rest} ${smallerName}` : '');
}

// clock is the time of day, here.
export const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB');

export const moment = (text) => {
  const t = new Date(text);
  return Number.isNaN(t.getTime()) ? '–' : `${t.toLocaleDateString('sv-SE')} ${clock(t)}`;
};

// quote shows what could deceive the eye, or turn the line round, as its code point.
export function quote(text) {
  return String(text ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

// share is n of all, 0 where there is no bound.
export const share = (n, all) => (all > 0 ? n / all : 0);

// name is a counter's, or a state's, in words.
export const words = (name) => String(name ?? '').replaceAll('_', ' ').replaceAll('-', ' ');

export const plural = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;
