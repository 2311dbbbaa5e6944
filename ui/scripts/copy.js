// Copies the page's address, which has the row and the tab.
const button = element.querySelector('.copy-link'), said = element.querySelector('[role=status]');
const title = button.textContent;
button.addEventListener('click', async () => {
  document.querySelector('#form form')?.dispatchEvent(new CustomEvent('remember'));
  const copied = await toClipboard(location.href, button);
  button.textContent = copied ? 'Copied' : 'Copy the address instead';
  said.textContent = copied ? 'The link is copied.' : 'The link could not be copied.';
  setTimeout(() => { button.textContent = title; }, 3000);
});
