// What was recorded, ready to be drawn; and how it is written in words. Everything may be hostile: text is only ever set as
// text, and numbers are made numbers first.

const byId = id => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const list = value => Array.isArray(value) ? value : [];
const num = value => Number.isFinite(value) ? value : 0;

// Without what changes the text around it: control characters, and those that turn the direction of writing.
const plain = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

function make(tag, classes, ...parts) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  for (const part of parts) if (part !== null && part !== undefined) element.append(typeof part === "string" ? plain(part) : part);
  return element;
}

const grouped = value => Math.round(value).toLocaleString("en");

function short(value) {
  if (value >= 999.5) return grouped(value);
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.995 || value === 0 ? 2 : 3);
}

function showTime(nanos) {
  const time = Math.abs(nanos);
  if (time === 0) return "0 s";
  if (time < 1e3) return `${Math.round(nanos)} ns`;
  if (time < 999.5e3) return `${short(nanos / 1e3)} µs`;
  if (time < 999.5e6) return `${short(nanos / 1e6)} ms`;
  const seconds = nanos / 1e9;
  if (time < 119.95e9) return `${short(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 7200) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${grouped(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

function showBytes(bytes) {
  let unit = 0;
  for (; bytes >= 1023.5 && unit < 6; unit++) bytes /= 1024;
  return unit ? `${short(bytes)} ${" KMGTPE"[unit]}iB` : `${Math.round(bytes)} B`;
}

const plural = (count, word) => `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;

// The first index from which `reached` holds, in something sorted.
function first(length, reached) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (reached(middle)) high = middle; else low = middle + 1;
  }
  return low;
}

const failures = list(data.failures);
const throughput = list(data.throughput).map(s => [num(s[0]), num(s[1]), num(s[2])]);
const memory = list(data.memory).map(s => [num(s[0]), num(s[1]), num(s[2])]);

// The workers of each place, and what they ran, in order of time.
const workers = list(data.workers).map(worker => ({
  ...worker, slot: num(worker.slot), generation: num(worker.generation), started: num(worker.started),
  // The end of its pool is no reason of its own.
  why: worker.why === "closed" ? null : worker.why,
  items: 0, failed: 0, busy: 0,
}));
workers.sort((a, b) => a.started - b.started);

let ended = num(data.ended);
for (const span of list(data.spans)) ended = Math.max(ended, num(span[5]));
ended = Math.max(ended, 1);

const rows = [];
{
  const bySlot = new Map();
  const row = slot => {
    if (!bySlot.has(slot)) bySlot.set(slot, {slot, spans: [], workers: [], generations: new Map()});
    return bySlot.get(slot);
  };
  for (const worker of workers) {
    const its = row(worker.slot);
    its.workers.push(worker);
    its.generations.set(worker.generation, worker);
  }
  for (const span of list(data.spans)) row(num(span[0])).spans.push(span);
  for (const its of [...bySlot.values()].sort((a, b) => a.slot - b.slot)) {
    its.spans.sort((a, b) => a[4] - b[4]);
    const count = its.spans.length;
    Object.assign(its, {from: new Float64Array(count), to: new Float64Array(count), bad: new Float64Array(count), longest: 0});
    its.spans.forEach((span, at) => {
      its.from[at] = num(span[4]);
      its.to[at] = Math.max(num(span[5]), its.from[at]);
      its.bad[at] = num(span[6]);
      its.longest = Math.max(its.longest, its.to[at] - its.from[at]);
      const worker = its.generations.get(span[1]);
      if (!worker) return;
      worker.items += num(span[3]);
      worker.failed += its.bad[at];
      worker.busy += its.to[at] - its.from[at];
    });
    rows.push(its);
  }
}

// Colours are those of the page, so that they follow the reader's scheme.
let colors = {};
function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["card", "ink", "dim", "line", "track", "busy", "busy-soft", "bad", "ends", "start", "memory"]) {
    colors[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

// Sizes a canvas to its place, in the screen's own pixels, and gives what to draw with.
function prepared(canvas, height) {
  const scale = Math.min(window.devicePixelRatio || 1, 3);
  const width = canvas.clientWidth;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
  pen.textBaseline = "middle";
  return {pen, width, height};
}

// Numbers between two that are round, about so many.
function ticks(from, to, count) {
  const rough = (to - from) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) || rough;
  const found = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) found.push(n * step);
  return {found, step};
}

// Where the pointer or the keyboard is: a box beside it.
function tip(x, y, title, lines) {
  const box = byId("tip");
  box.hidden = !title;
  if (!title) return;
  box.replaceChildren(make("b", "guest", title), ...lines.filter(Boolean).map(line => make("span", "guest", line)));
  const size = box.getBoundingClientRect();
  const left = x + 14 + size.width > innerWidth - 8 ? x - 14 - size.width : x + 14;
  box.style.left = `${Math.max(8, left)}px`;
  box.style.top = `${Math.max(8, Math.min(y + 16, innerHeight - size.height - 8))}px`;
}
