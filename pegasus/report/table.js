// The table: filtered, sorted, and a page of it at a time.

const PAGE = 100;
// A parameter with more values is found by the search instead, and so are others than the first.
const MOST_VALUES = 100, MOST_FILTERS = 6;

const table = { rows: data.rows.map((_, place) => place), sort: "began", down: false, page: 0, found: null };

const haystacks = new Map();

function haystack(place) {
  if (!haystacks.has(place)) {
    const row = data.rows[place];
    const texts = [`job ${name(row)} `, data.texts[row[at.command]], params(row), where(row), data.texts[row[at.why]]];
    haystacks.set(place, texts.join("\n").toLowerCase());
  }
  return haystacks.get(place);
}

// Which rows there are, and in which order.

function filtered() {
  const words = byId("search").value.toLowerCase().trim();
  const state = byId("state").value, node = byId("node").value;
  const wanted = [...document.querySelectorAll("select[data-param]")].filter((one) => one.value);
  const chosen = wanted.map((one) => [one.dataset.param, JSON.parse(one.value)]);
  const fits = data.params.map((pairs) => chosen.every(
    ([key, value]) => pairs.some((pair) => pair[0] === key && pair[1] === value)));
  return table.rows = sorted(data.rows.map((_, place) => place).filter((place) => {
    const row = data.rows[place];
    return (!state || row[at.state] === +state) && (!node || row[at.node] === +node)
      && fits[row[at.params]] && (!words || haystack(place).includes(words));
  }));
}

function sorted(places) {
  const field = at[table.sort], sign = table.down ? -1 : 1;
  const key = (place) => {
    const value = data.rows[place][field];
    return table.sort === "command" ? data.texts[value] : value;
  };
  return places.sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null) || one - other;
    return (a < b ? -sign : a > b ? sign : 0) || one - other;
  });
}

// One row.

function command(row) {
  const text = data.texts[row[at.command]], cell = element("td");
  const first = text.trim().split("\n")[0];
  if (first.length < 140 && first === text.trim()) {
    cell.append(element("code", text));
  } else {
    const more = element("details"), summary = element("summary");
    summary.append(element("code", `${first.slice(0, 140)} …`));
    more.append(summary, element("pre", text));
    cell.append(more);
  }
  const told = params(row);
  if (told) cell.append(element("small", told));
  return cell;
}

function outcome(row) {
  const cell = element("td"), dot = element("span", undefined, "dot");
  const state = data.states[row[at.state]], why = data.texts[row[at.why]];
  dot.style.background = data.colours[row[at.state]];
  cell.append(dot, state);
  if (why !== state && why !== "exit status: 0") cell.append(element("small", why));
  return cell;
}

function logs(row) {
  const cell = element("td", undefined, "number");
  [["stdout", "out", 1], ["stderr", "err", 2]].forEach(([stream, suffix, bit]) => {
    const size = bytes(row[at[stream]]);
    if (!(row[at.logs] & bit)) {
      if (row[at[stream]]) cell.append(element("small", `${suffix} ${size}, not kept`));
      return;
    }
    const link = element("a", size ? `${suffix} ${size}` : suffix), line = element("div");
    link.href = `${data.logs}${row[at.job]}.${row[at.attempt]}.${suffix}`;
    link.setAttribute("aria-label", `${stream} of job ${name(row)}`);
    line.append(link);
    cell.append(line);
  });
  return cell;
}

function began(row) {
  const cell = element("td", clock(row[at.began]), "time");
  if (row[at.began] !== null && many) cell.append(element("small", day(row[at.began])));
  return cell;
}

// Whether the run took more than one day, so that dates must be told.
const days = data.rows.map((row) => row[at.began]).filter((time) => time !== null).map(day);
const many = new Set(days).size > 1;

function node(row) {
  const cell = element("td", row[at.node] === null ? "" : data.nodes[row[at.node]]);
  if (row[at.slots] !== null) cell.append(element("small", data.texts[row[at.slots]]));
  return cell;
}

function line(place) {
  const row = data.rows[place], made = element("tr");
  made.append(
    element("td", name(row), "time"), node(row), outcome(row), began(row),
    element("td", took(row[at.duration]), "time"), command(row), logs(row),
  );
  if (place === table.found) made.className = "found";
  return made;
}

// The page of the table that is seen.

function render() {
  const number = table.rows.length, pages = Math.max(1, Math.ceil(number / PAGE));
  table.page = Math.min(Math.max(table.page, 0), pages - 1);
  const begin = table.page * PAGE, seen = table.rows.slice(begin, begin + PAGE);
  document.querySelector("#attempts tbody").replaceChildren(...seen.map(line));
  const all = data.rows.length.toLocaleString("en");
  byId("found").textContent = number === data.rows.length ? `${all} in all` : `${number.toLocaleString("en")} of ${all}`;
  byId("page").textContent = `page ${table.page + 1} of ${pages}`;
  byId("first").disabled = byId("before").disabled = table.page === 0;
  byId("last").disabled = byId("after").disabled = table.page === pages - 1;
  document.querySelector(".pager").hidden = pages === 1;
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const way = table.down ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.sort === table.sort ? way : "none");
  }
}

function renew() {
  table.page = 0;
  filtered();
  render();
}

// Show an attempt in the table, whatever is filtered.
function show(place) {
  table.found = place;
  if (!table.rows.includes(place)) {
    byId("filters").reset();
    filtered();
  }
  table.page = Math.floor(table.rows.indexOf(place) / PAGE);
  render();
  document.querySelector("tr.found").scrollIntoView({ block: "center" });
}

// The filters, and what people press.

function fill(select, names) {
  select.append(new Option("all", ""));
  names.forEach(([text, value]) => select.append(new Option(text, value)));
}

function addParams() {
  const values = new Map();
  for (const pairs of data.params) {
    for (const [key, value] of pairs) {
      if (!values.has(key)) values.set(key, new Set());
      values.get(key).add(value);
    }
  }
  const varied = [...values].filter(([, all]) => all.size > 1 && all.size <= MOST_VALUES);
  for (const [key, all] of varied.slice(0, MOST_FILTERS)) {
    const label = element("label", `${key} `), select = element("select");
    select.dataset.param = key;
    fill(select, [...all].map((value) => [value.slice(0, 80), JSON.stringify(value)]));
    label.append(select);
    byId("filters").insertBefore(label, byId("filters").lastElementChild);
  }
}

function addFilters() {
  const counts = data.states.map((_, place) => data.rows.filter((row) => row[at.state] === place).length);
  fill(byId("state"), data.states.map((state, place) => [`${state} (${counts[place].toLocaleString("en")})`, place])
    .filter(([, place]) => counts[place]));
  fill(byId("node"), data.nodes.map((node, place) => [node, place]));
  addParams();
  const form = byId("filters");
  form.addEventListener("input", renew);
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => { form.reset(); renew(); });
}

function addButtons() {
  const turns = { first: () => 0, before: () => table.page - 1, after: () => table.page + 1, last: () => Infinity };
  for (const [id, page] of Object.entries(turns)) {
    byId(id).addEventListener("click", () => { table.page = page(); render(); });
  }
  for (const head of document.querySelectorAll("th[data-sort]")) {
    head.firstElementChild.addEventListener("click", () => {
      table.down = head.dataset.sort === table.sort && !table.down;
      table.sort = head.dataset.sort;
      renew();
    });
  }
}

addFilters();
addButtons();
renew();
// The table is seen while the charts, which take longer, are being drawn.
requestAnimationFrame(() => setTimeout(() => drawCharts(show)));
