"use strict";
// The browser of episodes. Every text from a run enters the page through textContent, never as HTML.

const runs = JSON.parse(document.getElementById("data").textContent);
const rows = runs.flatMap((run, r) => run.index.map((entry, i) => ({ ...entry, run: run.name, label: run.label, r, i })))
  .sort((a, b) => a.r - b.r || a.setting.localeCompare(b.setting) || a.seed - b.seed || a.repeat - b.repeat);
const list = document.getElementById("list");
const ROW_HEIGHT = 44;
let visible = rows;
let selected = null;

function shown(text) {
  // Control characters (ANSI escapes among them) and marks that turn the direction of text are shown, never obeyed.
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"));
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = shown(String(text));
  if (className) made.className = className;
  return made;
}

function outcome(row) {
  return row.ending === "error" ? "error" : row.success ? "solved" : "failed";
}

function choices(select, values) {
  select.append(new Option("all", ""), ...values.map((value) => new Option(shown(value), value)));
}

function filter() {
  const value = (name) => document.getElementById("filter-" + name).value;
  const text = value("text").toLowerCase();
  visible = rows.filter((row) =>
    (!value("run") || row.run === value("run")) &&
    (!value("setting") || row.setting === value("setting")) &&
    (!value("outcome") || outcome(row) === value("outcome")) &&
    (!value("mode") || row.modes[value("mode")]) &&
    (!text || row.task.toLowerCase().includes(text) || String(row.seed) === text));
  document.getElementById("count").textContent = `${visible.length} of ${rows.length}`;
  list.scrollTop = 0;
  drawList();
}

function drawList() {
  // Only the rows in view exist, so ten thousand episodes scroll as fast as ten.
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 4);
  const last = Math.min(visible.length, first + Math.ceil(list.clientHeight / ROW_HEIGHT) + 8);
  const spacer = element("div");
  spacer.setAttribute("role", "presentation");
  spacer.style.height = visible.length * ROW_HEIGHT + "px";
  list.replaceChildren(spacer, ...visible.slice(first, last).map((row, i) => listRow(row, first + i)));
}

function listRow(row, position) {
  const made = element("div", null, "row");
  made.id = "option-" + position;
  made.style.top = position * ROW_HEIGHT + "px";
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", row === selected);
  const repeat = row.repeat ? `, repeat ${row.repeat}` : "";
  made.append(element("span", outcome(row), outcome(row)), ` seed ${row.seed}${repeat}, ${row.steps} steps, ${runs.length > 1 ? row.label + ", " : ""}${row.setting}`);
  made.append(element("small", row.task));
  made.addEventListener("click", () => open(row));
  return made;
}

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function address(row) {
  // By what the run records, not by a place in a list: it still holds when runs or episodes are added.
  return "#" + new URLSearchParams({ run: row.run, setting: row.setting, seed: row.seed, repeat: row.repeat });
}

function addressed() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return rows.find((row) => ["run", "setting", "seed", "repeat"].every((name) => String(row[name]) === asked.get(name)));
}

function openAddressed() {
  const row = addressed();
  if (!row || row === selected) return;
  if (!visible.includes(row)) {
    for (const name of ["run", "setting", "outcome", "mode", "text"]) document.getElementById("filter-" + name).value = "";
    filter();
  }
  list.scrollTop = Math.max(0, visible.indexOf(row) - 3) * ROW_HEIGHT;
  open(row).then(() => document.getElementById("episode").scrollIntoView({ block: "start" }));
}

function linkTo(row) {
  const made = element("a", "link to this episode");
  made.setAttribute("href", address(row));
  return made;
}

async function open(row) {
  selected = row;
  drawList();
  list.setAttribute("aria-activedescendant", "option-" + visible.indexOf(row));
  history.replaceState(null, "", address(row));
  const episode = await unpack(runs[row.r].packed[row.i]);
  if (selected !== row) return;
  const article = document.getElementById("episode");
  article.replaceChildren(
    element("h3", `${row.label}: ${row.setting}, seed ${row.seed}${row.repeat ? `, repeat ${row.repeat}` : ""}`),
    element("p", episode.task),
    linkTo(row),
    element("p", `${outcome(row)}, score ${row.score}, ended: ${row.ending}, ${row.steps} steps` +
      (episode.expert_length === null ? "" : `, the oracle needs ${episode.expert_length}`), outcome(row)),
    element("p", Object.entries(episode.analysis).map(([name, value]) => `${name} ${value}`).join(", "), "key"),
    ...(episode.error ? [element("pre", episode.error)] : []),
    observation(episode.first, "First observation"),
    ...episode.steps.map((step, i) => stepCard(step, i)));
  article.scrollIntoView({ block: "nearest" });
}

function observation(parts, title) {
  const made = element("details");
  made.open = true;
  made.append(element("summary", title));
  const text = element("pre");
  if (parts === null) text.append(element("span", "(compact record: texts come back by replay)", "hint"));
  else text.append(...parts.map(([part, source]) => {
    const span = element("span", part, source);
    span.title = source;
    return span;
  }));
  made.append(text);
  return made;
}

function folded(title, text) {
  const made = element("details");
  made.append(element("summary", title), element("pre", text));
  return made;
}

function stepCard(step, i) {
  const made = element("div", null, "step");
  const head = element("h4", `Step ${i + 1}: ${step.action === null ? "no action" : step.action}`);
  const facts = [`reward ${step.reward}`, `score ${Number(step.score.toFixed(3))}`];
  if (!step.valid) facts.push("invalid action");
  if (step.parse_reason) facts.push(`unparsed: ${step.parse_reason}`);
  if (step.dropped_turns) facts.push(`${step.dropped_turns} past turns dropped`);
  head.append(...facts.map((fact) => element("span", fact)));
  made.append(head);
  if (step.prompt !== null) made.append(folded("Prompt", step.prompt));
  if (step.completion !== step.action) made.append(element("pre", step.completion));
  made.append(observation(step.observation, "Observation"));
  return made;
}

document.getElementById("filter-run").append(new Option("all", ""), ...runs.map((run) => new Option(shown(run.label), run.name)));
choices(document.getElementById("filter-setting"), [...new Set(rows.map((row) => row.setting))]);
choices(document.getElementById("filter-mode"), rows.length ? Object.keys(rows[0].modes) : []);
for (const name of ["run", "setting", "outcome", "mode", "text"]) {
  document.getElementById("filter-" + name).addEventListener("input", filter);
}
list.addEventListener("scroll", drawList);
list.addEventListener("keydown", (event) => {
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!move || !visible.length) return;
  event.preventDefault();
  const next = Math.min(visible.length - 1, Math.max(0, visible.indexOf(selected) + move));
  if (next * ROW_HEIGHT < list.scrollTop) list.scrollTop = next * ROW_HEIGHT;
  if ((next + 1) * ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = (next + 1) * ROW_HEIGHT - list.clientHeight;
  open(visible[next]);
});
filter();
window.addEventListener("hashchange", openAddressed);
openAddressed();
