// The form: its fields on one side; its value, a row as a JSON text, and the page's address on the other.
const form = element.querySelector('form');
const fields = [...form.querySelectorAll('[data-column]')];
const initial = props.value;
let answered = null;    // the row that the answer on the page is of, as `current` writes rows
let waiting;            // to ask again, where nobody answered
let following = false;  // while the address is followed, it is not written

const field = (one, selector) => one.querySelector(selector);
const held = one => {
  const check = field(one, '[type=checkbox]'), radio = field(one, '[type=radio]'), list = field(one, 'select');
  if (check) return check.checked;
  if (radio) return field(one, ':checked')?.value ?? '';
  if (list?.selectedOptions[0]?.hasAttribute('data-other')) return field(one, '.other').value;
  return (list ?? field(one, 'input')).value;
};
const hold = (one, value) => {
  const check = field(one, '[type=checkbox]'), list = field(one, 'select'), other = field(one, '.other');
  if (check) { check.checked = String(value) === 'true'; return; }
  const radios = [...one.querySelectorAll('[type=radio]')];
  if ('anyCase' in one.dataset) {
    const folded = value.toLowerCase();
    if ([...radios, ...list?.options ?? []].some(each => each.value === folded)) value = folded;
  }
  if (radios.length) { for (const radio of radios) radio.checked = radio.value === value; return; }
  if (!list) { field(one, 'input').value = value; return; }
  const known = [...list.options].find(option => option.value === value && !option.hasAttribute('data-other'));
  if (known) known.selected = true;
  else if (other) { field(list, '[data-other]').selected = true; other.value = value; }
  else list.add(new Option(value, value, true, true));  // the service says that there is no such choice
  showOther(one);
};
const showOther = one => {
  const other = field(one, '.other');
  if (other) other.hidden = !field(one, 'select').selectedOptions[0]?.hasAttribute('data-other');
};
const row = () => Object.fromEntries(fields.map(one => [one.dataset.column, held(one)]));

// the page's own program writes rows in another order and with other blanks
const current = () => JSON.stringify(row());
const written = text => {
  const values = JSON.parse(text);
  return JSON.stringify(Object.fromEntries(fields.map(one => [one.dataset.column, values[one.dataset.column]])));
};
const isAnswered = () => answered === current();

const mark = () => {
  const stale = answered !== null && !isAnswered();
  element.closest('.ask').toggleAttribute('data-stale', stale);
  const note = document.querySelector('#marks .marks');
  if (note) note.textContent = stale ? 'The form has changed since: press Predict.' : '';
};
const take = () => {
  const text = current();
  if (text !== props.value) props.value = text;
  mark();
};
const show = () => {
  const values = JSON.parse(props.value);
  for (const one of fields) if (held(one) !== values[one.dataset.column]) hold(one, values[one.dataset.column] ?? '');
};
const ask = () => { take(); trigger('submit'); };

form.addEventListener('input', event => {
  const one = event.target.closest('[data-column]');
  showOther(one);
  take();
});
form.addEventListener('change', () => {
  take();
  writeAddress(row(), {push: Boolean(history.state?.answered), answered: isAnswered()});
});
form.addEventListener('open', ({detail}) => {
  props.value = JSON.stringify({...JSON.parse(initial), ...detail});
  show();
  ask();
});
form.addEventListener('remember', () => writeAddress(row(), {answered: isAnswered()}));
form.addEventListener('submit', event => event.preventDefault());
form.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.target.tagName !== 'INPUT') return;
  event.preventDefault();
  form.dispatchEvent(new Event('change'));
  ask();
});
form.addEventListener('answered', ({detail}) => {
  show();
  const same = detail.answered === props.value;  // browsers may hold a time in another form than it was given to them
  answered = detail.answered === null ? null : same ? current() : written(detail.answered);
  const wrong = fields.filter(one => tell(one, detail.errors[one.dataset.column] ?? []));
  if (wrong.length) reach(wrong[0]);
  else requestAnimationFrame(bring);
  if (isAnswered()) writeAddress(row(), {push: Boolean(history.state?.answered), answered: true});
  mark();
  clearTimeout(waiting);
  if (detail.again) waiting = setTimeout(() => form.isConnected && ask(), 1000 * detail.again);
});
const tell = (one, messages) => {
  const error = field(one, '.field-error');
  error.textContent = messages.join(' ');
  error.hidden = !messages.length;
  for (const input of one.querySelectorAll('input, select')) {
    if (messages.length) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
  return messages.length > 0;
};
const bring = () => {  // on a phone the answer may be far above the field
  const place = element.closest('.ask').querySelector('.said [aria-live]');
  const {top, bottom} = place.getBoundingClientRect();
  if (form.offsetParent && (bottom < 0 || top > innerHeight)) place.scrollIntoView({block: 'start'});
};
const reach = one => {
  one.closest('details')?.setAttribute('open', '');
  // not away from another tab, nor from what somebody is typing
  if (form.offsetParent && !form.contains(document.activeElement)) field(one, 'input:not([hidden]), select').focus();
};

watch('value', () => {
  show();
  mark();
});
for (const input of form.querySelectorAll('[data-names]')) {
  const suggest = async () => {
    const typed = input.value, column = input.closest('[data-column]').dataset.column;
    const found = await server.names([column, typed]);
    if (input.value === typed) input.list.replaceChildren(...found.map(name => new Option(name, name)));
  };
  input.addEventListener('focus', suggest);
  input.addEventListener('input', suggest);
}

const read = (one, text) => (field(one, '[type=checkbox]') ? text === 'true' : text);
const restore = () => {
  const wanted = readAddress(), before = props.value;
  const known = fields.filter(one => one.dataset.column in (wanted.row ?? {}));
  const changes = known.map(one => [one.dataset.column, read(one, wanted.row[one.dataset.column])]);
  props.value = JSON.stringify({...JSON.parse(initial), ...Object.fromEntries(changes)});
  show();
  take();
  following = true;
  if (wanted.row && !isAnswered()) ask();
  // a tab that is open shows the row as it was when it was opened
  if (wanted.tab === openTab() && wanted.tab !== 'ask' && props.value !== before) choose('ask');
  requestAnimationFrame(() => {
    if (wanted.tab !== openTab()) choose(wanted.tab);
    requestAnimationFrame(() => { following = false; });
  });
};
const search = location.search;
const follow = () => {
  if (!form.isConnected) removeEventListener('popstate', follow);
  else if (location.search !== search) location.reload();
  else restore();
};
addEventListener('popstate', follow);
let tab = openTab();
new MutationObserver(() => {
  if (openTab() === tab) return;
  tab = openTab();
  if (!following) writeAddress(row(), {push: true, answered: isAnswered()});
}).observe(tabs().querySelector('[role=tablist]'), {subtree: true, childList: true, attributes: true});

// Gradio gives each radio button of a group a name of its own, so that each is a stop of its own for the keyboard
for (const group of document.querySelectorAll('#model-chooser, #version-chooser')) {
  for (const radio of group.querySelectorAll('input')) radio.name = group.id;
}
show();
// not at once: Gradio sets the first value once more when this has run
if (location.hash) setTimeout(restore);
