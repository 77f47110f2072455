// Throughput and memory, over the time that the view shows.

// A curve's ground: its greatest value, the lines for it, and the grid of time.
function ground(canvas, most, show) {
  const {pen, width, height} = prepared(canvas, 74);
  const scale = scaleOf(width);
  const top = 8, y = value => height - 1 - value / most * (height - top - 1);
  grid(pen, width, height, scale.x);
  pen.fillStyle = colors.line;
  pen.fillRect(scale.left, height - 1, width - scale.left, 1);
  pen.textAlign = "right";
  for (const value of [most / 2, most]) {
    pen.fillStyle = colors.line;
    pen.fillRect(scale.left, Math.round(y(value)), width - scale.left, 1);
    pen.fillStyle = colors.dim;
    pen.fillText(show(value), scale.left - 8, y(value) + (value === most ? 3 : 0));
  }
  return {pen, width, height, y, ...scale};
}

// A round number that is at least this.
function above(value, base = 10) {
  if (!(value > 0)) return 1;
  const power = base ** Math.floor(Math.log(value) / Math.log(base) + 1e-9);
  const steps = base === 10 ? [1, 1.5, 2, 3, 4, 5, 6, 8, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  return steps.map(n => n * power).find(n => n >= value * 0.999999) ?? value;
}

const compact = value => value >= 1e9 ? `${value / 1e9}G` : value >= 1e6 ? `${value / 1e6}M` : value >= 1e4 ? `${value / 1e3}k` : value >= 1e3 ? grouped(value) : `${+value.toPrecision(3)}`;

// The value of a growing count at a moment: between two samples, on the line between them.
function countAt(moment, field) {
  const after = first(throughput.length, at => throughput[at][0] >= moment);
  if (after === throughput.length) return after ? throughput[after - 1][field] : 0;
  const [until, low] = [throughput[after], after ? throughput[after - 1] : [0, 0, 0]];
  const part = until[0] > low[0] ? (moment - low[0]) / (until[0] - low[0]) : 1;
  return low[field] + (until[field] - low[field]) * part;
}

// Finer than it was measured would show steps that are none.
const sampling = throughput.length > 1 ? (throughput.at(-1)[0] - throughput[0][0]) / (throughput.length - 1) : ended;

function rateBins(inner) {
  const width = Math.max((view.to - view.from) / Math.max(1, inner / 8), sampling);
  const bins = [];
  for (let at = Math.floor(view.from / width); at * width < view.to; at++) {
    const from = at * width, to = Math.min((at + 1) * width, ended);
    if (to <= from) break;
    const seconds = (to - from) / 1e9;
    bins.push({from, to, done: (countAt(to, 1) - countAt(from, 1)) / seconds, failed: (countAt(to, 2) - countAt(from, 2)) / seconds});
  }
  return bins;
}

let bins = [];
function drawRate() {
  const canvas = byId("rate");
  bins = rateBins(canvas.clientWidth - GUTTER());
  const most = above(Math.max(0, ...bins.map(bin => bin.done + bin.failed)));
  const {pen, width, height, left, x, y} = ground(canvas, most, compact);
  pen.save();
  pen.beginPath(); pen.rect(left, 0, width - left, height); pen.clip();
  steps(pen, x, y, height, bins.map(bin => [bin.from, bin.to, bin.done + bin.failed]), colors.busy);
  pen.fillStyle = colors.bad;
  for (const bin of bins) {
    const tall = height - 1 - y(bin.failed);
    if (bin.failed > 0) pen.fillRect(x(bin.from), height - 1 - Math.max(tall, 1.5), Math.max(x(bin.to) - x(bin.from), 1), Math.max(tall, 1.5));
  }
  pen.restore();
  drawPointed(pen, x, height, left);
}

// An area with a line on top, in steps.
function steps(pen, x, y, height, parts, color) {
  if (!parts.length) return;
  const line = new Path2D(), area = new Path2D();
  parts.forEach(([from, to, value], at) => {
    if (at === 0) { line.moveTo(x(from), y(value)); area.moveTo(x(from), height - 1); }
    for (const path of [line, area]) { path.lineTo(x(from), y(value)); path.lineTo(x(to), y(value)); }
  });
  area.lineTo(x(parts.at(-1)[1]), height - 1);
  pen.fillStyle = pen.strokeStyle = color;
  pen.globalAlpha = 0.2;
  pen.fill(area);
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.stroke(line);
}

const mostMemory = memory.reduce((most, sample) => Math.max(most, sample[1]), 0);
function drawMemory() {
  const {pen, width, height, left, x, y} = ground(byId("memory"), above(mostMemory, 1024), bytes => showBytes(bytes).replace(/\.0+ /, " ").replace("iB", ""));
  pen.save();
  pen.beginPath(); pen.rect(left, 0, width - left, height); pen.clip();
  const parts = [];
  const begin = Math.max(0, first(memory.length, at => memory[at][0] > view.from) - 1);
  for (let at = begin; at < memory.length && memory[at][0] <= view.to; at++) {
    const until = at + 1 < memory.length ? memory[at + 1][0] : ended;
    const last = parts.at(-1);
    // Of samples within one column of pixels, the largest.
    if (last && x(until) - x(last[0]) < 1) { last[1] = until; last[2] = Math.max(last[2], memory[at][1]); }
    else parts.push([memory[at][0], until, memory[at][1]]);
  }
  steps(pen, x, y, height, parts, colors.memory);
  pen.restore();
  drawPointed(pen, x, height, left);
}

// What the curves say at the moment that is pointed at; else over all.
function read() {
  const rate = byId("rate-reading"), held = byId("memory-reading");
  if (pointed === null) {
    const all = throughput.at(-1) ?? [0, 0, 0];
    rate.textContent = throughput.length ? `${grouped(all[1] + all[2])} in all` : "";
    held.textContent = memory.length ? `at most ${showBytes(mostMemory)}` : "not measured";
    return;
  }
  const bin = bins.find(bin => pointed < bin.to);
  const bad = bin && bin.failed > 0 ? `, ${short(bin.failed)} failed` : "";
  rate.textContent = bin ? `${showMoment(pointed, (view.to - view.from) / 1e3)}: ${short(bin.done + bin.failed)} a second${bad}` : "";
  const sample = memory[Math.max(0, first(memory.length, at => memory[at][0] > pointed) - 1)];
  held.textContent = sample ? `${showBytes(sample[1])}, ${plural(sample[2], "worker")}` : "";
}
