// The form of the page at /: sends one row, and shows the answer or the errors beside their fields.
"use strict";
const find = (selector, within = document) => within.querySelector(selector);
const make = (name, text = "", attributes = {}) => {
  const element = document.createElement(name);
  element.textContent = text; // never as HTML: names come from callers' tables
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const main = () => find("#main");
const key = () => find("#key")?.value.trim() ?? "";
const authorization = () => (key() ? { authorization: `Bearer ${key()}` } : {});
const shown = (number) => {
  if (number !== 0 && Math.abs(number) < 1) return String(Number(number.toPrecision(3)));
  return number.toLocaleString("en", { maximumFractionDigits: 2, minimumFractionDigits: Number.isInteger(number) ? 0 : 2 });
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const whole = (share) => percent(share).replace(".0 ", " ");
const address = (path) => new URL(path, document.baseURI).href;

function value(field) {
  const text = find("input, select", field).value.trim();
  if (text === "") return null;
  const { kind } = field.dataset;
  if (kind === "flag") return text === "true";
  const number = Number(text);
  return (kind === "real" || kind === "integer") && Number.isFinite(number) ? number : text;
}

const form = () => find("#row");
const fields = (within = form()) => [...within.querySelectorAll(".field")];
const row = (within = form()) => Object.fromEntries(fields(within).map((field) => [field.dataset.column, value(field)]));

// The row that stands there at first is made up, and nobody's case.
function purpose() {
  const initial = form().cloneNode(true);
  initial.reset();
  return JSON.stringify(row()) === JSON.stringify(row(initial)) ? { "x-boxwood-purpose": "exploring" } : {};
}

function curl() {
  if (!find("#curl")) return;
  const sent = JSON.stringify({ instances: [row()] }).replaceAll("'", "'\\''");
  const header = "guarded" in main().dataset ? ' -H "authorization: Bearer $KEY"' : "";
  const place = address(`v1/models/${main().dataset.place}:predict`);
  find("#curl").textContent = `curl '${place}'${header} -H 'content-type: application/json' -d '${sent}'`;
}

function complain(field, text) {
  const input = find("input, select", field);
  find(".error", field).textContent = text;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function changed() {
  const answer = find("#answer");
  if (answer.firstChild && !find(".stale", answer))
    answer.prepend(make("p", "The form has changed since: this answers the row before.", { class: "stale" }));
  curl();
}

function shares(probabilities) {
  const list = make("div", "", { class: "shares" });
  const sorted = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  for (const [label, share] of sorted.slice(0, 20))
    list.append(
      make("span", label),
      make("meter", "", { value: share, "aria-label": `Probability of ${label}` }),
      make("span", percent(share), { "data-value": share }),
    );
  return list;
}

function told(document_) {
  const [said] = document_.predictions;
  const unit = said.unit ? ` ${said.unit}` : "";
  const written = typeof said.prediction === "number" ? shown(said.prediction) + unit : said.prediction;
  const parts = [make("p", written, { class: "prediction", "data-value": said.prediction })];
  const usual = !said.warnings.length;
  if (said.interval) {
    const { low, high, coverage } = said.interval;
    const promise = usual ? ` ${whole(coverage)} of such intervals have the true value.` : "";
    parts.push(make("p", `Interval: ${shown(low)} to ${shown(high)}${unit}.${promise}`, { class: "interval" }));
  }
  if (said.probabilities) {
    parts.push(shares(said.probabilities));
    if (said.probabilities[said.prediction] < Math.max(...Object.values(said.probabilities)))
      parts.push(make("p", "Not the most probable class: what wrong answers cost decides.", { class: "hint" }));
  }
  if (said.prediction_set) {
    const { labels, coverage } = said.prediction_set;
    const promise = usual ? ` ${whole(coverage)} of such sets have the right class.` : "";
    parts.push(make("p", `Prediction set: ${labels.join(", ") || "no class"}.${promise}`, { class: "set" }));
  }
  if (!usual) parts.push(make("p", "What was measured of the model's answers says little about this row:"));
  parts.push(...said.warnings.map((warning) => make("p", warning, { class: "stale" })));
  const id = `Version ${document_.model_version}, prediction ${said.prediction_id}`;
  return [...parts, make("p", id, { class: "hint" })];
}

function reason(field, error) {
  if (value(field) === null) return "This has to be filled in.";
  return error.message + (error.expected ? ` (near to it: ${error.expected.join(", ")})` : "");
}

// The parts of a refusal that belong to no field.
function refused(problem) {
  const left = (problem.errors ?? []).filter((error) => {
    const field = fields().find((one) => one.dataset.column === error.column);
    if (field) complain(field, reason(field, error));
    return !field;
  });
  find("[aria-invalid]")?.focus();
  const texts = problem.errors ? left.map((error) => error.message) : [problem.detail ?? problem.title];
  if (problem.errors && !left.length) texts.push("Please mend the marked fields.");
  return texts.map((text) => make("p", text, { class: "bad" }));
}

async function predict() {
  fields().forEach((field) => complain(field, ""));
  const place = address(`v1/models/${main().dataset.place}:predict`);
  const body = JSON.stringify({ instances: [row()] });
  let parts;
  try {
    const headers = { "content-type": "application/json", ...authorization(), ...purpose() };
    const answer = await fetch(place, { method: "POST", headers, body, credentials: "same-origin" });
    const said = await answer.json();
    parts = answer.ok ? told(said) : refused(said);
  } catch {
    parts = [make("p", "The service could not be reached. Try again.", { class: "bad" })];
  }
  find("#answer").replaceChildren(...parts);
}

async function suggest(input) {
  const { column } = input.closest(".field").dataset;
  const path = `v1/models/${main().dataset.place}/columns/${column}?like=${encodeURIComponent(input.value)}`;
  try {
    const answer = await fetch(address(path), { headers: authorization() });
    if (answer.ok) input.list.replaceChildren(...(await answer.json()).names.map((name) => make("option", "", { value: name })));
  } catch {
    // a name can be typed without suggestions
  }
}

// The page as somebody with this key sees it; a browser that follows links sends none.
async function enter(query) {
  const answer = await fetch(address(`./${query}`), { headers: { accept: "text/html", ...authorization() } });
  const html = (answer.headers.get("content-type") ?? "").startsWith("text/html");
  const known = answer.status !== 401;
  if (!html) {
    find("#key-error").textContent = (await answer.json()).detail;
    return;
  }
  find("#key-error").textContent = known ? "" : "The service does not know this key.";
  if (!known) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  main().replaceWith(page.querySelector("#main"));
  find("#key-form button")?.remove();
  history.replaceState(null, "", query || "./");
  begin();
}

function begin() {
  if (!form()) return;
  form().addEventListener("submit", (event) => { event.preventDefault(); predict(); });
  form().addEventListener("input", (event) => {
    complain(event.target.closest(".field"), "");
    changed();
    if ("lookup" in event.target.dataset) suggest(event.target);
  });
  form().addEventListener("focusin", ({ target }) => {
    if ("lookup" in target.dataset && !target.list.children.length) suggest(target);
  });
  if (key())
    for (const link of document.querySelectorAll("nav a"))
      link.addEventListener("click", (event) => { event.preventDefault(); enter(link.getAttribute("href")); });
  curl();
}

find("#key-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(location.search);
});
begin();
