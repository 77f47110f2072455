// The histogram of the time that items took, over a logarithmic scale.

const latency = data.latency ?? {};

// The recorder's buckets, counted into as many bars as there are columns for; a bucket that reaches over several is shared
// out among them.
function bars(low, high, count) {
  const bars = new Float64Array(count), buckets = list(latency.buckets);
  const place = value => (Math.log(Math.max(value, 1)) - low) / (high - low) * count;
  let before = 0;
  buckets.forEach(([upper, items], at) => {
    // A bucket that is missing before this one is empty: it does not begin there.
    const next = buckets[at + 1]?.[0];
    const guess = next ? upper * upper / next : upper * 0.9;
    const from = Math.max(place(Math.max(before, guess, num(latency.min))), 0);
    const to = Math.min(place(Math.min(upper, num(latency.max))), count);
    before = upper;
    if (to - from < 1e-6) { bars[Math.min(count - 1, Math.max(0, Math.floor(to)))] += items; return; }
    for (let bar = Math.floor(from); bar < Math.min(to, count); bar++) {
      bars[bar] += items * (Math.min(to, bar + 1) - Math.max(from, bar)) / (to - from);
    }
  });
  return bars;
}

let histogram = null;
function drawLatency() {
  const canvas = byId("latency");
  canvas.hidden = !(latency.count > 0);
  if (canvas.hidden) return;
  const {pen, width, height} = prepared(canvas, 236);
  const left = innerWidth < 600 ? 44 : 48, top = 38, bottom = height - 24;
  // At least half a decade, so that equal times are not spread over the whole width.
  const middle = Math.log(Math.max(latency.min, 1) * Math.max(latency.max, 1)) / 2;
  const half = Math.max(Math.log(Math.max(latency.max, 1) / Math.max(latency.min, 1)) / 2 * 1.02, Math.log(10) / 4);
  const low = middle - half, high = middle + half;
  const x = value => left + (Math.log(Math.max(value, 1)) - low) / (high - low) * (width - left);
  const count = Math.max(8, Math.min(80, Math.floor((width - left) / 9), list(latency.buckets).length * 2 + 8)) | 1;
  const found = bars(low, high, count);
  const most = above(Math.max(...found));
  const y = items => bottom - items / most * (bottom - top);
  pen.textAlign = "right";
  for (const value of [most / 2, most]) {
    pen.fillStyle = colors.line;
    pen.fillRect(left, Math.round(y(value)), width - left, 1);
    pen.fillStyle = colors.dim;
    pen.fillText(compact(value), left - 8, y(value));
  }
  let labelled = -99;
  const decades = (high - low) / Math.log(10);
  for (let power = Math.floor(low / Math.log(10)); power <= Math.ceil(high / Math.log(10)); power++) {
    for (const digit of decades < 3 ? [1, 2, 5] : [1]) {
      const value = digit * 10 ** power, at = x(value);
      if (at < left || at > width) continue;
      pen.fillStyle = colors.line;
      pen.fillRect(Math.round(at), top, 1, bottom - top);
      const label = showTime(value).replace(/\.0+ /, " "), wide = pen.measureText(label).width;
      const begin = Math.min(Math.max(at - wide / 2, left), width - wide);
      if (begin < labelled + 8) continue;
      labelled = begin + wide;
      pen.fillStyle = colors.dim;
      pen.textAlign = "left";
      pen.fillText(label, begin, bottom + 14);
    }
  }
  pen.fillStyle = colors.busy;
  const column = (width - left) / count;
  found.forEach((items, at) => {
    if (!items) return;
    const tall = Math.max(bottom - y(items), 2);
    pen.beginPath(); pen.roundRect(left + at * column + 0.5, bottom - tall, Math.max(column - 1, 1), tall, [Math.min(3, column / 3), Math.min(3, column / 3), 0, 0]); pen.fill();
  });
  pen.fillStyle = colors.line;
  pen.fillRect(left, bottom, width - left, 1);
  marks(pen, x, left, width, top, bottom);
  histogram = {found, left, column, low, high, count};
}

// Lines at the quantiles, with labels that do not lie on each other.
function marks(pen, x, left, width, top, bottom) {
  const limit = data.limits?.timeout_ns;
  const all = [];
  for (const [name, value] of [["50 %", latency.p50], ["90 %", latency.p90], ["99 %", latency.p99]]) {
    const last = all.at(-1);
    if (last && showTime(last[1]) === showTime(value)) last[0] += `, ${name}`; else all.push([name, value]);
  }
  if (limit && x(limit) < width) all.push(["limit", limit]);
  const ends = [-99, -99];
  for (const [name, value] of all) {
    if (!(value > 0)) continue;
    const at = x(value), label = `${name}  ${showTime(value)}`, wide = pen.measureText(label).width;
    pen.strokeStyle = pen.fillStyle = name === "limit" ? colors.bad : colors.ink;
    pen.lineWidth = 1;
    pen.setLineDash([3, 3]);
    const begin = Math.min(Math.max(at - wide / 2, left), width - wide);
    const line = begin > ends[0] + 10 ? 0 : 1;
    ends[line] = begin + wide;
    pen.beginPath(); pen.moveTo(at, line ? 31 : 16); pen.lineTo(at, bottom); pen.stroke();
    pen.setLineDash([]);
    pen.textAlign = "left";
    pen.fillText(label, begin, line ? 24 : 8);
  }
}

byId("latency").addEventListener("pointermove", event => {
  if (!histogram) return;
  const box = event.currentTarget.getBoundingClientRect(), {found, left, column, low, high, count} = histogram;
  const at = Math.floor((event.clientX - box.left - left) / column);
  if (at < 0 || at >= count) { byId("latency-reading").textContent = ""; return; }
  const edge = bar => showTime(Math.exp(low + (high - low) * bar / count));
  byId("latency-reading").textContent = `${edge(at)} to ${edge(at + 1)}: ${plural(Math.round(found[at]), "item")}`;
});
byId("latency").addEventListener("pointerleave", () => { byId("latency-reading").textContent = ""; });
