// How the timeline is used: by pointer, by fingers, by keys.

const rowsCanvas = byId("rows");

function momentOf(event, canvas = rowsCanvas) {
  const box = canvas.getBoundingClientRect();
  return scaleOf(box.width).t(event.clientX - box.left);
}

// The span of a row at a moment, or one that is no more than some pixels away.
function spanAt(row, moment, near) {
  const [begin, end] = shown(row, moment - near, moment + near);
  let best = null, nearest = Infinity;
  for (let at = begin; at < end; at++) {
    const away = Math.max(row.from[at] - moment, moment - row.to[at], 0);
    if (away <= near && away <= nearest) { best = at; nearest = away; }
  }
  return best;
}

function describe(row, at) {
  const [, generation, index, items] = row.spans[at], bad = row.bad[at];
  const title = items === 1 ? `Item ${index}` : `${plural(items, "item")}, ${index} among them`;
  const each = items > 1 ? `, ${showTime((row.to[at] - row.from[at]) / items)} each` : "";
  return [title, [
    `${showTime(row.to[at] - row.from[at])}${each}`,
    bad ? `${plural(bad, "item")} failed` : null,
    `worker ${row.slot}, generation ${generation}`,
    `from ${showMoment(row.from[at], (view.to - view.from) / 1e4)}`,
  ]];
}

function describeWorker(row, moment) {
  const worker = row.workers.findLast(worker => worker.started <= moment);
  if (!worker) return [`Worker ${row.slot}`, ["not started yet"]];
  const over = worker.ended !== null && moment > worker.ended;
  const state = over ? "ended" : moment < (worker.ready ?? Infinity) ? "starting" : "waiting for items";
  return [`Worker ${row.slot}, generation ${worker.generation}`, [
    `${state}; ${plural(worker.items, "item")} in ${showTime((worker.ended ?? ended) - worker.started)}`,
    worker.why ? `ended: ${worker.why}` : null,
  ]];
}

function point(event, canvas) {
  pointed = Math.min(Math.max(momentOf(event, canvas), view.from), view.to);
  read();
  redraw();
}

function hover(event) {
  point(event);
  const box = rowsCanvas.getBoundingClientRect();
  const row = rows[Math.floor((event.clientY - box.top) / rowHeight)];
  if (!row) return tip();
  const pixel = (view.to - view.from) / (box.width - GUTTER());
  // An end of a worker is a narrow thing, and more telling than what is beside it.
  const over = row.workers.find(w => w.why && w.ended !== null && Math.abs(w.ended - pointed) < 4 * pixel);
  const at = over ? null : spanAt(row, pointed, 2 * pixel);
  tip(event.clientX, event.clientY, ...at === null ? describeWorker(row, over ? over.ended - 1e-3 : pointed) : describe(row, at));
}

function leave() {
  pointed = null;
  tip();
  read();
  redraw();
}

// One finger or button moves the view, two change its width.
const held = new Map();
rowsCanvas.addEventListener("pointerdown", event => {
  held.set(event.pointerId, event.clientX);
  rowsCanvas.setPointerCapture(event.pointerId);
  rowsCanvas.classList.add("moving");
});
rowsCanvas.addEventListener("pointermove", event => {
  if (!held.has(event.pointerId)) return hover(event);
  const before = [...held.values()];
  held.set(event.pointerId, event.clientX);
  const after = [...held.values()];
  const pixel = (view.to - view.from) / (rowsCanvas.clientWidth - GUTTER());
  tip();
  if (before.length === 1) {
    const by = (before[0] - after[0]) * pixel;
    return setView(view.from + by, view.to + by);
  }
  const apart = Math.abs(before[0] - before[1]) / Math.max(8, Math.abs(after[0] - after[1]));
  zoom(apart, momentOf({clientX: (after[0] + after[1]) / 2}));
});
for (const kind of ["pointerup", "pointercancel"]) rowsCanvas.addEventListener(kind, event => {
  held.delete(event.pointerId);
  if (!held.size) rowsCanvas.classList.remove("moving");
});
rowsCanvas.addEventListener("dblclick", event => zoom(1 / 3, momentOf(event)));
for (const id of ["rows", "axis", "rate", "memory"]) {
  const canvas = byId(id);
  canvas.addEventListener("pointerleave", leave);
  if (id !== "rows") canvas.addEventListener("pointermove", event => point(event, canvas));
  canvas.addEventListener("wheel", event => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(1.002 ** Math.max(-300, Math.min(300, event.deltaY * (event.deltaMode ? 16 : 1))), momentOf(event, canvas));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const by = event.deltaX * (view.to - view.from) / canvas.clientWidth;
      setView(view.from + by, view.to + by);
    }
  }, {passive: false});
}

{
  const canvas = byId("overview");
  let begun = null;
  const moment = event => {
    const box = canvas.getBoundingClientRect(), left = GUTTER();
    return Math.min(Math.max((event.clientX - box.left - left) / (box.width - left), 0), 1) * ended;
  };
  canvas.addEventListener("pointerdown", event => {
    begun = moment(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    if (begun !== null && Math.abs(moment(event) - begun) > ended / canvas.clientWidth * 3) {
      setView(Math.min(begun, moment(event)), Math.max(begun, moment(event)));
    }
  });
  canvas.addEventListener("pointerup", event => {
    // A click alone moves what is shown there.
    if (begun !== null && Math.abs(moment(event) - begun) <= ended / canvas.clientWidth * 3) {
      const half = (view.to - view.from) / 2;
      setView(begun - half, begun + half);
    }
    begun = null;
  });
  canvas.addEventListener("pointercancel", () => { begun = null; });
}

// Shows a span, which the view is moved to if it lies outside.
function choose(row, span) {
  chosen = {row, span};
  const from = rows[row].from[span], to = rows[row].to[span];
  if (from < view.from || to > view.to) {
    const half = Math.max((view.to - view.from) / 2, (to - from) * 2);
    setView((from + to) / 2 - half, (from + to) / 2 + half);
  }
  const scroll = byId("scroll");
  if (row * rowHeight < scroll.scrollTop) scroll.scrollTop = row * rowHeight;
  if ((row + 1) * rowHeight > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = (row + 1) * rowHeight - scroll.clientHeight;
  pointed = (from + to) / 2;
  const box = rowsCanvas.getBoundingClientRect();
  const [title, lines] = describe(rows[row], span);
  tip(box.left + scaleOf(box.width).x(pointed), box.top + (row + 1) * rowHeight, title, lines);
  byId("said").textContent = [title, ...lines.filter(Boolean)].join("; ");
  read();
  redraw();
}

function step(by) {
  if (!chosen || !rows[chosen.row].spans.length) return change(0);
  const count = rows[chosen.row].spans.length;
  choose(chosen.row, Math.min(Math.max(chosen.span + by, 0), count - 1));
}

// To the next worker that ran something, at about the same time.
function change(by) {
  const moment = chosen ? rows[chosen.row].from[chosen.span] : view.from;
  let row = chosen ? chosen.row + by : 0;
  while (rows[row] && !rows[row].spans.length) row += by || 1;
  if (!rows[row]) return;
  const after = first(rows[row].from.length, at => rows[row].from[at] >= moment);
  choose(row, Math.min(after, rows[row].spans.length - 1));
}

const keys = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => change(-1), ArrowDown: () => change(1),
  "+": () => zoom(0.5, pointed ?? undefined), "=": () => zoom(0.5, pointed ?? undefined), "-": () => zoom(2), "0": () => setView(0, ended),
  Home: () => setView(0, view.to - view.from), End: () => setView(ended - (view.to - view.from), ended),
  PageUp: () => setView(2 * view.from - view.to, view.from), PageDown: () => setView(view.to, 2 * view.to - view.from),
  Escape: () => { chosen = null; leave(); },
};
rowsCanvas.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
rowsCanvas.addEventListener("blur", () => { chosen = null; leave(); });
byId("closer").addEventListener("click", () => zoom(0.5));
byId("wider").addEventListener("click", () => zoom(2));
byId("all").addEventListener("click", () => setView(0, ended));
