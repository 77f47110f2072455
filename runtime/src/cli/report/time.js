// Workers, throughput and memory over one axis of time, which can be moved and zoomed.

const GUTTER = () => innerWidth < 600 ? 44 : 58;
const view = {from: 0, to: ended};
let pointed = null; // The moment under the pointer.
let chosen = null; // The row and span that the keyboard is at.
const shortest = 20; // Nanoseconds that the whole width shows, at the closest.

const rowHeight = rows.length <= 12 ? 24 : rows.length <= 32 ? 16 : rows.length <= 96 ? 9 : 5;
const rowsHeight = Math.min(rows.length * rowHeight, 8000);

const scaleOf = width => {
  const left = GUTTER(), span = view.to - view.from;
  return {left, x: t => left + (t - view.from) / span * (width - left), t: x => view.from + (x - left) / (width - left) * span};
};

function setView(from, to) {
  let span = Math.min(Math.max(to - from, Math.min(shortest, ended)), ended);
  from = Math.min(Math.max((from + to - span) / 2, 0), ended - span);
  view.from = from;
  view.to = from + span;
  redraw();
}

function zoom(factor, around = (view.from + view.to) / 2) {
  setView(around - (around - view.from) * factor, around + (view.to - around) * factor);
}

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if (!anything) return;
    drawOverview();
    drawAxis();
    drawRows();
    drawRate();
    drawMemory();
  });
}

// How much of each column of pixels is taken, from 0 to 1, added to what is there.
function cover(columns, from, to) {
  const low = Math.max(0, Math.floor(from)), high = Math.min(columns.length - 1, Math.floor(to));
  for (let at = low; at <= high; at++) columns[at] += Math.min(to, at + 1) - Math.max(from, at);
}

let overview = {width: 0, columns: null};
function drawOverview() {
  const {pen, width, height} = prepared(byId("overview"), 44);
  const left = GUTTER(), inner = Math.max(1, Math.floor(width - left));
  if (overview.width !== inner) {
    overview = {width: inner, columns: new Float32Array(inner)};
    for (const row of rows) for (let at = 0; at < row.from.length; at++) {
      cover(overview.columns, row.from[at] / ended * inner, row.to[at] / ended * inner);
    }
  }
  pen.fillStyle = colors.track;
  pen.beginPath(); pen.roundRect(left, 0, inner, height, 5); pen.fill();
  pen.save();
  pen.clip();
  pen.fillStyle = colors.busy;
  pen.globalAlpha = 0.55;
  const most = Math.max(1, rows.length);
  for (let at = 0; at < inner; at++) {
    const tall = Math.min(1, overview.columns[at] / most) * (height - 4);
    if (tall > 0) pen.fillRect(left + at, height - Math.max(tall, 1), 1, Math.max(tall, 1));
  }
  const a = left + view.from / ended * inner, b = left + view.to / ended * inner;
  if (view.from > 0 || view.to < ended) {
    pen.globalAlpha = 0.72;
    pen.fillStyle = colors.card;
    pen.fillRect(left, 0, a - left, height);
    pen.fillRect(b, 0, left + inner - b, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = colors.busy;
    pen.lineWidth = 2;
    pen.beginPath(); pen.roundRect(a + 1, 1, Math.max(b - a - 2, 3), height - 2, 4); pen.stroke();
  }
  pen.restore();
  pen.fillStyle = colors.dim;
  pen.textAlign = "right";
  pen.fillText("busy", left - 8, height / 2);
}

// The moment, with as many digits as tell it from its neighbours.
function showMoment(at, step) {
  const [unit, name] = ended < 1e6 && step < 1e3 ? [1, "ns"] : step < 1e3 ? [1e3, "µs"] : step < 1e6 && view.to < 1e9 ? [1e6, "ms"] : [1e9, "s"];
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
  if (unit === 1e9 && at >= 120e9) {
    const minutes = Math.floor(at / 60e9), seconds = (at - minutes * 60e9) / 1e9;
    return `${minutes}:${seconds.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")} min`;
  }
  return `${(at / unit).toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})} ${name}`;
}

const ticksOf = width => ticks(view.from, view.to, (width - GUTTER()) / 110);

function drawAxis() {
  const {pen, width, height} = prepared(byId("axis"), 22);
  const {left, x} = scaleOf(width);
  const {found, step} = ticksOf(width);
  pen.fillStyle = colors.dim;
  for (const at of found) {
    const label = showMoment(at, step), half = pen.measureText(label).width / 2;
    if (x(at) + half > width + 1) continue;
    pen.textAlign = "left";
    pen.fillText(label, Math.max(left, x(at) - half), height / 2);
  }
  drawPointed(pen, x, height, left);
}

function grid(pen, width, height, x) {
  pen.fillStyle = colors.line;
  for (const at of ticksOf(width).found) pen.fillRect(Math.round(x(at)), 0, 1, height);
}

function drawPointed(pen, x, height, left) {
  if (pointed === null || x(pointed) < left) return;
  pen.fillStyle = colors.ink;
  pen.globalAlpha = 0.5;
  pen.fillRect(Math.round(x(pointed)), 0, 1, height);
  pen.globalAlpha = 1;
}

// Of a row's spans those that the view shows.
function shown(row, from = view.from, to = view.to) {
  const begin = first(row.from.length, at => row.from[at] >= from - row.longest);
  return [begin, first(row.from.length, at => row.from[at] > to)];
}

function drawRows() {
  const canvas = byId("rows");
  canvas.style.height = `${rowsHeight}px`;
  const {pen, width} = prepared(canvas, rowsHeight);
  const {left, x} = scaleOf(width);
  const inner = Math.ceil(width - left), tall = rowHeight >= 9 ? rowHeight - 4 : rowHeight - 1;
  grid(pen, width, rowsHeight, x);
  const busy = new Float32Array(inner), bad = new Uint8Array(inner);
  rows.forEach((row, line) => {
    const top = line * rowHeight + (rowHeight - tall) / 2;
    drawLives(pen, row, top, tall, width, left, x);
    busy.fill(0);
    bad.fill(0);
    const [begin, end] = shown(row);
    const wide = [];
    for (let at = begin; at < end; at++) {
      const a = x(row.from[at]), b = x(row.to[at]);
      if (b < left) continue;
      if (b - a >= 3) wide.push(at); else cover(busy, a - left, b - left);
      if (row.bad[at] && a - left < inner) bad[Math.max(0, Math.floor(a - left))] = 1;
    }
    pen.fillStyle = colors.busy;
    for (let at = 0; at < inner; at++) {
      if (!busy[at]) continue;
      pen.globalAlpha = 0.25 + 0.75 * Math.min(1, busy[at]);
      pen.fillRect(left + at, top, 1, tall);
    }
    pen.globalAlpha = 1;
    for (const at of wide) drawSpan(pen, row, at, top, tall, left, width, x);
    pen.fillStyle = colors.bad;
    // Where they are many, they are not to hide that most of a row is well.
    let last = -9;
    for (let at = 0; at < inner; at++) {
      if (!bad[at]) continue;
      const close = at - last < 5 || bad.indexOf(1, at + 1) - at < 5 && bad.indexOf(1, at + 1) > 0;
      last = at;
      pen.fillRect(left + at, top, 2, close ? Math.max(tall * 0.36, 2) : tall);
    }
    drawEnds(pen, row, top, tall, left, width, x);
    if (chosen && chosen.row === line) {
      pen.strokeStyle = colors.ink;
      pen.lineWidth = 1.5;
      const a = Math.max(left, x(row.from[chosen.span])), b = Math.min(width, x(row.to[chosen.span]));
      pen.strokeRect(a - 1, top - 1, Math.max(b - a, 1) + 2, tall + 2);
    }
  });
  labels(pen, left);
  drawPointed(pen, x, rowsHeight, left);
}

function labels(pen, left) {
  pen.fillStyle = colors.dim;
  pen.textAlign = "right";
  const every = Math.ceil(13 / rowHeight);
  rows.forEach((row, line) => {
    if (line % every === 0) pen.fillText(row.slot, left - 8, line * rowHeight + rowHeight / 2 + (every > 1 ? 4 : 0));
  });
}

// From when to when a worker lived, and until when it was made ready.
function drawLives(pen, row, top, tall, width, left, x) {
  for (const worker of row.workers) {
    const a = Math.max(left, x(worker.started)), b = Math.min(width, x(worker.ended ?? ended));
    if (b < left || a > width) continue;
    pen.fillStyle = colors.track;
    pen.fillRect(a, top, Math.max(b - a, 0.5), tall);
    const ready = Math.min(b, x(worker.ready ?? worker.ended ?? ended));
    pen.fillStyle = colors.start;
    if (ready - a > 0.3) pen.fillRect(a, top, ready - a, tall);
  }
}

function drawSpan(pen, row, at, top, tall, left, width, x) {
  const a = Math.max(left, x(row.from[at])), b = Math.min(width, x(row.to[at]));
  if (b <= a) return;
  pen.fillStyle = row.bad[at] && row.spans[at][3] === row.bad[at] ? colors.bad : colors.busy;
  const gap = b - a > 6 ? 1 : 0.5;
  pen.beginPath(); pen.roundRect(a, top, b - a - gap, tall, Math.min(3, tall / 4)); pen.fill();
  if (b - a < 44 || tall < 12) return;
  const [, , index, items] = row.spans[at];
  const full = items > 1 ? plural(items, "item") : `${index}`;
  if (pen.measureText(full).width > b - a - 12) return;
  pen.fillStyle = colors.card;
  pen.textAlign = "left";
  pen.fillText(full, a + 6, top + tall / 2 + 0.5);
}

function drawEnds(pen, row, top, tall, left, width, x) {
  pen.fillStyle = colors.ends;
  let last = -9;
  for (const worker of row.workers) {
    // One that had served its time was meant to end: the gap behind it is enough.
    if (!worker.why || worker.why === "retired" || !Number.isFinite(worker.ended)) continue;
    const at = x(worker.ended);
    if (at < left || at > width || at - last < 1) continue;
    last = at;
    pen.fillRect(at - 0.75, top, 1.5, tall);
    if (tall < 8) continue;
    pen.beginPath(); pen.moveTo(at - 4.5, top - 1); pen.lineTo(at + 4.5, top - 1); pen.lineTo(at, top + 5); pen.fill();
  }
}
