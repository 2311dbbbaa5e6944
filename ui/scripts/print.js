// Prints the page that has come into this place, and nothing beside it.
const way = () => {
  const path = [element];
  while (path.at(-1).parentElement !== document.body) path.push(path.at(-1).parentElement);
  return path;
};
const beside = at => [...at.parentElement.children].filter(each => each !== at && each.tagName !== 'STYLE');
const printIt = () => {
  if (!element.isConnected || !element.querySelector('.printed')) return;
  const path = way(), others = path.flatMap(beside);
  const mark = on => {
    for (const part of path) part.toggleAttribute('data-printed', on);
    for (const other of others) other.toggleAttribute('data-unprinted', on);
  };
  mark(true);
  addEventListener('afterprint', () => mark(false), {once: true});
  print();
};
// the value is in the document a moment after it is known here
watch('value', () => requestAnimationFrame(() => requestAnimationFrame(printIt)));

// paper is white; as properties, so that there is one of each, whichever tab of whichever model was here first
const {classList, dataset} = document.body;
onbeforeprint = () => {
  if (classList.contains('dark')) { classList.remove('dark'); dataset.dark = ''; }
};
onafterprint = () => {
  if ('dark' in dataset) { classList.add('dark'); delete dataset.dark; }
};
