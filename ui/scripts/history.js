// The last questions: in localStorage, a list for each visitor, model and version. Nothing sends them anywhere; one that
// is clicked becomes the form's row, which is asked as any other.
const PREFIX = 'boxwood-history';
const mine = [PREFIX, props.user, props.model].map(encodeURIComponent).join('/');
const key = `${mine}/${encodeURIComponent(props.version)}`;
const part = element.querySelector('.history'), list = part.querySelector('ol');
const titles = JSON.parse(props.titles);

const stored = () => Object.keys(localStorage).filter(name => name.startsWith(`${PREFIX}/`));
const forget = names => { for (const name of names) localStorage.removeItem(name); };
const read = () => {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(found) ? found : [];
  } catch { return []; }
};
const write = entries => {
  try { localStorage.setItem(key, JSON.stringify(entries.slice(0, props.most))); } catch { /* it is full, or forbidden */ }
};

const shown = value => ({true: 'yes', false: 'no', '': 'not given'})[String(value)] ?? String(value);
// what tells the questions from each other; of a single one, its first columns
const telling = entries => {
  const names = Object.keys(titles);
  const different = names.filter(name => new Set(entries.map(entry => String(entry.row[name]))).size > 1);
  return (different.length ? different : names).slice(0, 4);
};
const item = (entry, names) => {
  const button = Object.assign(document.createElement('button'), {type: 'button'});
  const answer = Object.assign(document.createElement('b'), {textContent: entry.answer});
  const row = names.map(name => `${titles[name]} ${shown(entry.row[name])}`).join(', ');
  button.append(answer, Object.assign(document.createElement('span'), {textContent: row}));
  button.addEventListener('click', () => {
    document.querySelector('#form form').dispatchEvent(new CustomEvent('open', {detail: entry.row}));
  });
  const place = document.createElement('li');
  place.append(button);
  return place;
};
const show = () => {
  const entries = read();
  const names = telling(entries);
  part.hidden = !entries.length;
  part.querySelector('summary').textContent = `Last questions (${entries.length})`;
  list.replaceChildren(...entries.map(entry => item(entry, names)));
};

// the form comes later than this
const note = ({detail}) => {
  if (!part.isConnected) document.removeEventListener('answered', note);
  else if (detail.answered !== null && detail.said) {
    const entry = {row: JSON.parse(detail.answered), answer: detail.said};
    const others = read().filter(each => JSON.stringify(each.row) !== JSON.stringify(entry.row));
    write([entry, ...others]);
    show();
  }
};
document.addEventListener('answered', note);
part.querySelector('.clear').addEventListener('click', () => {
  forget([key]);
  show();
  document.querySelector('#predict').focus();
});

const versions = JSON.parse(props.versions).map(version => `${mine}/${encodeURIComponent(version)}`);
const of = [PREFIX, props.user].map(encodeURIComponent).join('/');
forget(stored().filter(name => !name.startsWith(`${of}/`) || (name.startsWith(`${mine}/`) && !versions.includes(name))));
document.querySelector('form.log-out')?.addEventListener('submit', () => forget(stored()));
// another tab of this browser may have asked meanwhile
const follow = () => (part.isConnected ? show() : removeEventListener('storage', follow));
addEventListener('storage', follow);
show();
