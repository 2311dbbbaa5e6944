// The row and the tab in the page's address: #ask&origin=Recife&cabin=economic. Browsers send no fragment to any
// server, so that no log has the row.
const tabs = () => element.closest('.tabs');
const openTab = () => tabs()?.querySelector('[role=tablist] [aria-selected=true]')?.dataset.tabId ?? 'ask';

const readAddress = () => {
  const [tab, ...row] = location.hash.slice(1).split('&');
  return {tab: tab || 'ask', row: row.length ? Object.fromEntries(new URLSearchParams(row.join('&'))) : null};
};

const writeAddress = (row, {push = false, answered = false} = {}) => {
  const texts = Object.entries(row).map(([name, value]) => [name, String(value)]);
  const hash = `#${openTab()}&${new URLSearchParams(texts)}`;
  const same = hash === location.hash;
  if (same && Boolean(history.state?.answered) === answered) return;
  // the whole address: there is a <base> that a mere fragment would belong to
  const url = location.pathname + location.search + hash;
  history[push && !same ? 'pushState' : 'replaceState']({answered}, '', url);
};

const choose = tab => tabs()?.querySelector(`[role=tablist] [data-tab-id="${CSS.escape(tab)}"]`)?.click();
