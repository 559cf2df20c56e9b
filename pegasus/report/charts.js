"use strict";
// The charts, and what is said of an attempt that the mouse points at. What users wrote becomes text
// (textContent), never markup; plotly, which would take it for markup, is not given any of it here.

const data = JSON.parse(document.getElementById("data").textContent);
const at = Object.fromEntries(data.fields.map((name, place) => [name, place]));
const byId = (id) => document.getElementById(id);
const dark = window.matchMedia("(prefers-color-scheme: dark)");

const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  toImageButtonOptions: { filename: "pegasus" },
};

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Numbers as people read them.

function took(milliseconds) {
  if (milliseconds === null) return "";
  if (milliseconds < 1000) return `${milliseconds}ms`;
  if (milliseconds < 60000) return `${(milliseconds / 1000).toFixed(1)}s`;
  const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  let left = Math.floor(milliseconds / 1000);
  const first = units.findIndex(([, size]) => left >= size);
  return units.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(left / size);
    left %= size;
    return count ? `${count}${unit}` : "";
  }).join(" ").trim();
}

function day(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function clock(milliseconds) {
  return milliseconds === null ? "" : new Date(milliseconds).toISOString().slice(11, 19);
}

function bytes(number) {
  if (number === null) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (number >= 999.5 && unit < units.length - 1) { number /= 1000; unit += 1; }
  return `${unit && number < 9.95 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

function name(row) {
  return row[at.attempt] ? `${row[at.job]}.${row[at.attempt]}` : `${row[at.job]}`;
}

function where(row) {
  const node = row[at.node] === null ? "" : data.nodes[row[at.node]];
  return row[at.slots] === null ? node : `${node} · ${data.texts[row[at.slots]]}`;
}

function params(row) {
  return data.params[row[at.params]].map(([key, value]) => `${key}=${value}`).join(" ");
}

// What is said of an attempt beside the mouse.

function tell(place, event) {
  const tip = byId("tip"), row = data.rows[place];
  const ran = `${day(row[at.began])} ${clock(row[at.began])}, took ${took(row[at.duration])}`;
  tip.replaceChildren(
    element("b", `job ${name(row)} · ${data.texts[row[at.why]]}`),
    element("code", data.texts[row[at.command]]),
    element("div", params(row)),
    element("div", `${where(row)} · ${ran}`),
  );
  tip.hidden = false;
  const { clientX: x, clientY: y } = event;
  const box = tip.getBoundingClientRect();
  const left = x + 14 + box.width > window.innerWidth ? x - box.width - 14 : x + 14;
  const top = y + 14 + box.height > window.innerHeight ? y - box.height - 14 : y + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

function listen(chart, show) {
  let told = null, pressed = null;
  const pointed = (event) => event.points.find((point) => typeof point.customdata === "number");
  const forget = () => { told = null; byId("tip").hidden = true; };
  chart.on("plotly_hover", (event) => {
    const point = pointed(event);
    if (!point) return;
    told = point.customdata;
    tell(told, event.event);
  });
  chart.on("plotly_unhover", forget);
  // A finger points at nothing before it clicks; but of a mouse on a busy machine, plotly now and then
  // forgets between press and release what it has been pointing at.
  chart.on("plotly_click", (event) => {
    const point = pointed(event);
    if (point) show(point.customdata);
    forget();
  });
  chart.addEventListener("mousedown", (event) => {
    pressed = told === null ? null : { place: told, x: event.clientX, y: event.clientY };
  }, true);
  chart.addEventListener("click", (event) => {
    const found = pressed;
    pressed = null;
    if (!found || Math.hypot(event.clientX - found.x, event.clientY - found.y) > 4) return;
    forget();
    show(found.place);
  });
}

// Light and dark.

function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const colour = (variable) => style.getPropertyValue(variable).trim();
  const axis = {
    gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
    tickcolor: colour("--line"),
  };
  const layout = { ...figure.layout, font: { color: colour("--text"), size: 12, family: "inherit" } };
  layout.font.family = getComputedStyle(document.body).fontFamily;
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--accent") };
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(key)) layout[key] = { ...layout[key], ...axis };
  }
  const traces = figure.data.map((trace) => trace.type === "bar"
    ? { ...trace, marker: { ...trace.marker, line: { ...trace.marker.line, color: colour("--card") } } }
    : trace);
  return [traces, layout];
}

function draw(id, figure) {
  // A chart takes the size of its place, again whenever the window changes.
  byId(id).style.height = `${figure.layout.height}px`;
  return Plotly.react(id, ...themed(figure), CONFIG);
}

async function drawTimeline(show) {
  if (!data.timeline) {
    byId("timeline").replaceChildren(element("p", "There is nothing to be drawn.", "hint"));
    return;
  }
  listen(await draw("timeline", data.timeline), show);
}

async function drawSpread(show) {
  const by = byId("by");
  byId("no-spread").hidden = data.spreads.length > 0;
  byId("spread-part").hidden = !data.spreads.length;
  if (!data.spreads.length) return;
  data.spreads.forEach((spread, place) => by.append(new Option(spread.name, place)));
  by.addEventListener("change", () => draw("spread", data.spreads[by.value].figure));
  listen(await draw("spread", data.spreads[0].figure), show);
}

async function drawCharts(show) {
  await drawTimeline(show);
  await drawSpread(show);
  dark.addEventListener("change", () => {
    if (data.timeline) draw("timeline", data.timeline);
    if (data.spreads.length) draw("spread", data.spreads[byId("by").value].figure);
  });
  document.documentElement.dataset.drawn = "yes";
}
