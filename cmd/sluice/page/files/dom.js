// Elements: made, kept and written. Text is set as text, and nothing is parsed.

// el makes an element. A function under onNAME hears the event NAME; an attribute that
// is true is there, and one that is false, null or undefined is not.
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, '');
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export const byID = (id) => document.getElementById(id);

// write sets a node's text, where it is another.
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const kept = new WeakMap(); // parent → Map of key → {node, update}

// list gives parent a child for each item, in their order: make(item) returns its
// {node, update(item)}. What stays is moved and rewritten as little as possible, so that
// focus and a selection stay too.
export function list(parent, items, key, make) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const k = key(item);
    if (!now.has(k)) now.set(k, before.get(k) ?? make(item));
    now.get(k).update(item);
  }
  for (const [k, row] of before) if (!now.has(k)) row.node.remove();
  let place = parent.firstElementChild;
  for (const { node } of now.values()) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  kept.set(parent, now);
}

const pointed = new WeakSet();

// holds makes held tell of a node that the mouse is over it.
export function holds(node) {
  node.addEventListener('pointerover', (event) => event.pointerType === 'mouse' && pointed.add(node));
  node.addEventListener('pointerleave', () => pointed.delete(node));
}

// held tells whether somebody points at something in node, by mouse or keyboard, so that
// it should not move.
export function held(node) {
  return pointed.has(node) || node.querySelector(':focus-visible') !== null;
}

// steady puts items into the order of keys, those that were not there before last.
export function steady(items, key, keys) {
  const place = new Map(keys.map((k, i) => [k, i]));
  const at = (item) => place.get(key(item)) ?? keys.length;
  return items.map((item, i) => ({ item, i })).sort((a, b) => at(a.item) - at(b.item) || a.i - b.i).map((x) => x.item);
}

// head writes the head of a table; a column is {title, label, kind}.
export function head(table, columns, cell = (column) => column.title) {
  const row = el('tr', { role: 'row' });
  for (const column of columns) {
    row.append(el('th', { role: 'columnheader', scope: 'col', class: column.kind, 'aria-label': column.label }, cell(column)));
  }
  const body = el('tbody', { role: 'rowgroup' });
  table.replaceChildren(el('thead', { role: 'rowgroup' }, row), body);
  return body;
}

// bar is a measure of a part of a whole: set(parts) takes each part as 0 to 1.
export function bar(...kinds) {
  const parts = kinds.map((kind) => el('span', { class: kind }));
  const node = el('div', { class: 'bar', 'aria-hidden': 'true' }, ...parts);
  return {
    node,
    set(...shares) {
      parts.forEach((part, i) => {
        part.style.width = `${(100 * Math.min(1, Math.max(0, shares[i] || 0))).toFixed(1)}%`;
      });
    },
  };
}
