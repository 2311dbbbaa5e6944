// Copies the page's address, which has the row and the tab.
const button = element.querySelector('.copy-link'), said = element.querySelector('[role=status]');
const title = button.textContent;
const copy = async text => {
  // browsers keep the clipboard from pages that come over plain HTTP from another machine
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement('textarea'), {value: text});
  button.after(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (!done) throw new Error('not copied');
};
button.addEventListener('click', async () => {
  document.querySelector('#form form')?.dispatchEvent(new CustomEvent('remember'));
  const copied = await copy(location.href).then(() => true, () => false);
  button.textContent = copied ? 'Copied' : 'Copy the address instead';
  said.textContent = copied ? 'The link is copied.' : 'The link could not be copied.';
  setTimeout(() => { button.textContent = title; }, 3000);
});
