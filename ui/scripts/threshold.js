// What other thresholds would do to the test rows of two classes. All of it is counted here: the service is not asked.
const COUNTS = ['tp', 'fp', 'tn', 'fn'];
const percent = share => {
  const digits = share > 0 && share < 0.001 ? 2 : share > 0.999 && share < 1 ? 5 : null;
  return `${digits ? Number((100 * share).toPrecision(digits)) : (100 * share).toFixed(1)} %`;
};
const counted = value => value.toLocaleString('en-US');
const amount = value => {
  if (value > 0 && value < 1) return String(Number(value.toPrecision(3)));
  const digits = value >= 100000 || Number.isInteger(Number(value.toFixed(2))) ? 0 : 2;
  return value.toLocaleString('en-US', {minimumFractionDigits: digits, maximumFractionDigits: digits});
};
const text = (value, written) => Number.isFinite(value) ? written(value) : '–';

const field = (section, name) => section.querySelector(`[name=${name}]`);
const curveOf = section => JSON.parse(section.dataset.curve);
const cost = (section, name) => {
  const {value, validity} = field(section, name);
  return value && validity.valid ? Number(value) : NaN;
};
const show = (section, figures, written) => {
  for (const [name, value] of Object.entries(figures)) {
    const place = section.querySelector(`[data-of=${name}]`);
    place.dataset.value = value;
    place.textContent = text(value, written);
  }
};
const decide = section => {
  const curve = curveOf(section), place = Number(field(section, 'place').value), own = Number(section.dataset.place);
  const counts = Object.fromEntries(COUNTS.map(name => [name, curve[name][place]])), {tp, fp, tn, fn} = counts;
  const are = tp + fn, others = tn + fp, rows = are + others;
  const wrong = cost(section, 'wrong'), missed = cost(section, 'missed');
  const costAt = place => (curve.fp[place] * wrong + curve.fn[place] * missed) / rows;
  show(section, counts, counted);
  for (const name of COUNTS) {
    const share = counts[name] / ((name === 'tp' || name === 'fn' ? are : others) || 1);
    section.querySelector(`[data-of=${name}]`).style.setProperty('--share', `${100 * share}%`);
  }
  const shares = {precision: tp / (tp + fp), recall: tp / are, accuracy: (tp + tn) / rows, answered: (tp + fp) / rows};
  show(section, {...shares, stated: wrong / (wrong + missed)}, percent);
  show(section, {cost: costAt(place), cost_of_none: are * missed / rows, cost_of_all: others * wrong / rows}, amount);
  show(section, {wrong, missed}, String);
  section.querySelector('[data-of=stated]').closest('p').hidden = !(wrong > 0 && missed > 0);
  const said = percent(curve.thresholds[place]);
  field(section, 'place').setAttribute('aria-valuetext', said);
  section.querySelector('[role=status]').textContent = place === own ? "This is the model's threshold."
    : `From ${said} on a row costs ${text(costAt(place), amount)}, and ${text(costAt(own), amount)} at the model's threshold.`;
};
const setPlace = (section, place) => {
  field(section, 'place').value = place;
  decide(section);
};
const writePlace = section => {
  const threshold = curveOf(section).thresholds[field(section, 'place').value];
  field(section, 'threshold').value = Number((100 * threshold).toPrecision(4));
};
const nearest = (thresholds, wanted) => {
  const away = thresholds.map(each => Math.abs(each - wanted));
  return away.indexOf(Math.min(...away));
};
element.addEventListener('input', event => {
  const section = event.target.closest('.deciding'), {name, value, validity} = event.target;
  if (name === 'threshold' && value && validity.valid) setPlace(section, nearest(curveOf(section).thresholds, value / 100));
  else if (section) decide(section);
  if (name === 'place') writePlace(section);
});
element.addEventListener('change', event => {
  // there are counts of some thresholds only: what was typed becomes the nearest of them
  if (event.target.name === 'threshold') writePlace(event.target.closest('.deciding'));
});
element.addEventListener('click', event => {
  const section = event.target.closest('[data-back]')?.closest('.deciding');
  if (!section) return;
  setPlace(section, section.dataset.place);
  writePlace(section);
});
