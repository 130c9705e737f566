// Hashrate over time, drawn by uPlot (vendor/uplot, loaded before as window.uPlot).
// A gap is null and hatched: an hour we could not read is never drawn as zero, and no line is led across it.
// Of a sum, an hour that lacks accounts is a gap too: what is known of it is a dot, or the line would fall for nothing.
const UNITS = [["TH/s", 1, 0], ["PH/s", 1e3, 2], ["EH/s", 1e6, 2], ["ZH/s", 1e9, 2]];
const HEIGHT = 220;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// ── Data

async function read(figure) {
  const source = figure.dataset.src;
  if (!source) return JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const answer = await fetch(source, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${source} answered ${answer.status}`);
  return answer.json();
}

// One place for every step from `from` to `to`; what the pool did not say is null.
// Points are exact strings of TH/s; on the screen a double is exact enough (this is not money).
function series({ points, step_seconds: step, from, to }) {
  const times = [];
  const values = [];
  const parts = [];
  const said = [];
  let expected = from ?? points[0][0];
  const put = (time, value, part, accounts) => {
    times.push(time); values.push(value); parts.push(part); said.push(accounts);
  };
  const fill = (until) => { for (; expected < until; expected += step) put(expected, null, null, ""); };
  for (const [time, ths, accounts, missing] of points) {
    fill(time - step / 2);
    const known = ths === null ? null : Number(ths);
    put(time, missing ? null : known, missing ? known : null, accountsIn(accounts, missing));
    expected = time + step;
  }
  fill((to ?? expected) - step / 2);
  return { times, values, parts, said };
}

// Runs of unknown as [from, to], from the last point we know to the next one: just where the line is missing.
function gaps(times, values, step) {
  const runs = [];
  values.forEach((value, index) => {
    if (value !== null) return;
    const last = runs.at(-1);
    if (last && index > 0 && values[index - 1] === null) last[1] = times[index] + step;
    else runs.push([times[index] - step, times[index] + step]);
  });
  return runs;
}

function unitFor(values) {
  const largest = Math.max(0, ...values.filter((value) => value !== null));
  return UNITS.findLast(([, size]) => largest >= size) ?? UNITS[0];
}

// ── Words

const two = (number) => String(number).padStart(2, "0");
const clock = (date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
const day = (date) => `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;

function tick(seconds, _, all) {
  const date = new Date(seconds * 1000);
  const midnight = date.getUTCHours() === 0 && date.getUTCMinutes() === 0;
  const wide = all.length > 1 && all[1] - all[0] >= 86_400;
  return midnight || wide ? day(date) : clock(date);
}

function accountsIn(accounts, missing) {
  if (accounts === undefined) return "";
  return missing ? `${accounts} of ${accounts + missing} accounts` : `${accounts} ${accounts === 1 ? "account" : "accounts"}`;
}

function reading({ times, values, parts, said }, index, [unit, size, places]) {
  const date = new Date(times[index] * 1000);
  const ths = values[index] ?? parts[index];
  const value = ths === null ? "unknown" : `${(ths / size).toFixed(places)} ${unit}`;
  const least = parts[index] === null ? "" : "at least ";
  return [`${day(date)}, ${clock(date)} `, least + value, said[index] && ths !== null ? `, ${said[index]}` : ""];
}

// ── Ink. Canvas knows neither var() nor light-dark(); the computed colour of a hidden element is resolved.

function ink(figure) {
  const probe = figure.querySelector(".chart__ink");
  const colour = (name) => {
    probe.className = `chart__ink chart__ink--${name}`;
    return getComputedStyle(probe).color;
  };
  return {
    line: colour("data"), fill: colour("soft"), goal: colour("goal"), grid: colour("grid"),
    text: colour("text"), unknown: colour("unknown"), excluded: colour("excluded"), font: getComputedStyle(probe).fontFamily,
  };
}

// Unknown leans one way, excluded the other, so that they are told apart without colour.
function hatch(plot, runs, colour, { falls = false, width = 1 } = {}) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * devicePixelRatio;
  ctx.globalAlpha = 0.6;
  for (const [from, to] of runs) {
    const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
    if (right <= left) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.beginPath();
    for (let x = left - bbox.height; x < right; x += 6 * devicePixelRatio) {
      ctx.moveTo(x, falls ? bbox.top : bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, falls ? bbox.top + bbox.height : bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

function goalLine(plot, goal, colours) {
  if (goal === null) return;
  const { ctx, bbox } = plot;
  const y = plot.valToPos(goal, "y", true);
  ctx.save();
  ctx.strokeStyle = colours.goal;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

// ── Drawing

function options({ width, unit, goal, runs, excluded, colours, show }) {
  const [, size, places] = unit;
  const font = `12px ${colours.font}`;
  const top = (max) => Math.max(max, goal ?? 0) * 1.12 || size;
  const axis = { stroke: colours.text, font, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    legend: { show: false },
    // From zero, always: only then may the space under the line be filled.
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, top(max)] } },
    axes: [
      { ...axis, size: 32, grid: { show: false }, values: (_, ticks) => ticks.map(tick), space: 64 },
      {
        ...axis,
        size: 56,
        grid: { stroke: colours.grid, width: 1 },
        splits: (plot) => steps(plot.scales.y.max / size).map((value) => value * size),
        values: (_, splits) => splits.map((value) => String(Number((value / size).toFixed(places || 1)))),
      },
    ],
    series: [
      {},
      { stroke: colours.line, fill: colours.fill, width: 1.6, spanGaps: false, points: { show: false } },
      { paths: () => null, points: { show: true, size: 4, width: 0, fill: colours.text } },
    ],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 9, fill: colours.line } },
    hooks: {
      drawClear: [
        (plot) => hatch(plot, runs, colours.unknown),
        (plot) => hatch(plot, excluded, colours.excluded, { falls: true, width: 2 }),
      ],
      draw: [(plot) => goalLine(plot, goal, colours)],
      setCursor: [(plot) => show(plot.cursor.idx)],
    },
  };
}

// About four round steps up to the top.
function steps(top) {
  const raw = top / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw) * power;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}

// Arrow keys walk along the line; only then is each reading spoken, or the mouse would never let a screen reader rest.
function moveByKeys(plot, box, readout, times) {
  box.addEventListener("focus", () => readout.setAttribute("aria-live", "polite"));
  box.addEventListener("blur", () => readout.setAttribute("aria-live", "off"));
  box.addEventListener("keydown", (event) => {
    const at = plot().cursor.idx ?? times.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: times.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.min(Math.max(to, 0), times.length - 1);
    plot().setCursor({ left: plot().valToPos(times[index], "x"), top: 10 });
  });
}

async function draw(figure) {
  const box = figure.querySelector("[data-chart-plot]");
  if (!box) return;
  const data = await read(figure);
  const hours = series(data);
  const { times, values, parts } = hours;
  const unit = unitFor([...values, ...parts]);
  const goal = data.goal_ths === null || data.goal_ths === undefined ? null : Number(data.goal_ths);
  const runs = gaps(times, values, data.step_seconds);
  const excluded = data.excluded ?? [];
  const readout = figure.querySelector("[data-chart-read]");
  const last = (list) => list.findLastIndex((value) => value !== null);
  const newest = [last(values), last(parts), values.length - 1].find((index) => index >= 0);

  const show = (index) => {
    const [when, what, whose] = reading(hours, index ?? newest, unit);
    const time = Object.assign(document.createElement("span"), { className: "muted", textContent: when });
    const number = Object.assign(document.createElement("strong"), { textContent: what });
    readout.replaceChildren(time, number, Object.assign(document.createElement("span"), { textContent: whose }));
  };

  let plot = null;
  const redraw = () => {
    plot?.destroy();
    box.replaceChildren();
    plot = new uPlot(
      options({ width: box.clientWidth, unit, goal, runs, excluded, colours: ink(figure), show }),
      [times, values, parts],
      box,
    );
    show(null);
  };
  redraw();
  moveByKeys(() => plot, box, readout, times);
  new ResizeObserver(() => {
    if (plot.width !== box.clientWidth) plot.setSize({ width: box.clientWidth, height: HEIGHT });
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

function fail(figure, error) {
  console.error(error);
  const note = Object.assign(document.createElement("p"), {
    className: "chart__wait muted small", textContent: "The chart could not be drawn. The numbers are in the table below.",
  });
  figure.querySelector("[data-chart-plot]")?.replaceChildren(note);
}

for (const figure of document.querySelectorAll("[data-chart]")) draw(figure).catch((error) => fail(figure, error));
