// The card's tables scroll by themselves, as all tables here do; its Markdown has no place for what says so.
const card = element.closest('#card');
const wrap = table => {
  const wide = document.createElement('div');
  const titles = [...card.querySelectorAll(':is(h1, h2)')].filter(one => one.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING);
  Object.assign(wide, {className: 'wide', tabIndex: 0, role: 'region', ariaLabel: titles.at(-1)?.textContent ?? 'Table'});
  table.replaceWith(wide);
  wide.append(table);
};
new MutationObserver(() => card.querySelectorAll(':not(.wide) > table').forEach(wrap)).observe(card, {childList: true, subtree: true});
