// The description of a model: texts to copy, and a table to sort.
const copy = async button => {
  const done = await toClipboard(button.dataset.copy, button);
  button.textContent = done ? 'Copied' : 'Not copied';
  element.querySelector('.copied').textContent = done ? 'Copied.' : 'It could not be copied.';
  setTimeout(() => { button.textContent = 'Copy'; }, 3000);
};
const sort = button => {
  const head = button.closest('th'), body = button.closest('table').tBodies[0], at = Number(button.dataset.by);
  const falling = head.getAttribute('aria-sort') !== 'descending';
  for (const other of head.parentElement.children) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
  const key = row => row.cells[at].dataset.sort;
  const compare = (one, other) => key(one).localeCompare(key(other));
  const numbers = at > 0;
  const sorted = [...body.rows].sort((a, b) => numbers ? Number(key(a)) - Number(key(b)) : compare(a, b));
  body.append(...(falling ? sorted.reverse() : sorted));
};
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button?.dataset.copy) copy(button);
  if (button?.dataset.by) sort(button);
});
