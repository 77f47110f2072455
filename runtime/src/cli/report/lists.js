// The failures and the workers, a part at a time; and the beginning of everything.

const atOnce = 20;

// Shows a part of a list, with a button for more of it.
function paged(place, items, show, none) {
  let upTo = 0;
  const inside = make("div");
  const more = make("button", "", "Show more");
  more.type = "button";
  const left = make("span");
  const add = () => {
    const until = Math.min(items.length, upTo + (upTo ? 10 * atOnce : atOnce));
    show(inside, items.slice(upTo, until), upTo === 0);
    upTo = until;
    left.textContent = `${grouped(upTo)} of ${grouped(items.length)}`;
    more.hidden = upTo >= items.length;
  };
  more.addEventListener("click", add);
  if (!items.length) { place.replaceChildren(make("p", "none", none)); return; }
  add();
  const below = make("div", "more", more, left);
  below.hidden = items.length <= atOnce;
  place.replaceChildren(inside, below);
}

function failureLine(failure) {
  const message = String(failure.message ?? "");
  const line = make("summary", "",
    make("span", "item", `item ${num(failure.index)}`),
    make("span", "badge bad guest", String(failure.kind ?? "")),
    failure.name ? make("span", "name guest", String(failure.name)) : null,
    make("span", "what guest", message.split("\n", 1)[0].slice(0, 300)),
    make("span", "at", showTime(num(failure.at))));
  const details = make("details", "", line);
  // Only what is looked at is made.
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const frames = list(failure.backtrace).map(String);
    const body = make("div", "body",
      make("pre", "guest", message || "no message"),
      frames.length ? make("h3", "", "Backtrace, innermost first") : null,
      frames.length ? make("pre", "guest", frames.join("\n")) : null);
    const attempts = num(failure.attempts);
    const show = make("button", "", "Show in the timeline");
    show.type = "button";
    show.addEventListener("click", () => showItem(failure));
    body.append(make("div", "more", rows.length ? show : null, make("span", "", plural(attempts, "attempt"))));
    details.append(body);
  });
  return details;
}

// Finds what ran an item: a span that names it, else the one with a failure that ended nearest to when this one was told. A
// span names one of its items only.
function showItem(failure) {
  const index = num(failure.index), at = num(failure.at);
  let best = null, nearest = Infinity, named = false;
  rows.forEach((row, line) => row.spans.forEach((span, place) => {
    const names = span[2] === index;
    if (!row.bad[place] || named && !names) return;
    const away = Math.abs(row.to[place] - at);
    if (away < nearest || names && !named) { nearest = away; best = [line, place]; named = names; }
  }));
  byId("time").scrollIntoView({block: "start"});
  rowsCanvas.focus({preventScroll: true});
  if (best) {
    const row = rows[best[0]], width = Math.max((row.to[best[1]] - row.from[best[1]]) * 6, shortest);
    setView(row.from[best[1]] - width / 2, row.to[best[1]] + width / 2);
    choose(...best);
  } else {
    const half = (view.to - view.from) / 2;
    setView(at - half, at + half);
  }
}

function showFailures() {
  const place = byId("failures"), filters = byId("filters");
  place.hidden = false;
  const leftOut = num(data.failures_left_out);
  const note = leftOut ? make("p", "none", `${plural(leftOut, "more failure")} were counted, but are not listed.`) : null;
  const kinds = new Map();
  for (const failure of failures) kinds.set(String(failure.kind), (kinds.get(String(failure.kind)) ?? 0) + 1);
  let kind = null;
  const search = make("input");
  search.type = "search";
  search.placeholder = "Search names and messages";
  search.setAttribute("aria-label", search.placeholder);
  const update = () => {
    const wanted = search.value.toLowerCase();
    const found = failures.filter(failure => (kind === null || failure.kind === kind)
      && (!wanted || `${failure.index} ${failure.name ?? ""} ${failure.message ?? ""}`.toLowerCase().includes(wanted)));
    const inside = make("div");
    paged(inside, found, (at, some) => at.append(...some.map(failureLine)), failures.length ? "None is like that." : leftOut ? "" : "No item failed.");
    place.replaceChildren(inside, ...note ? [note] : []);
  };
  search.addEventListener("input", update);
  if (failures.length > 1) {
    filters.hidden = false;
    if (kinds.size > 1) for (const [name, count] of [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 12)) {
      const button = make("button", "guest", `${name} ${grouped(count)}`);
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        kind = kind === name ? null : name;
        for (const other of filters.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && kind !== null));
        update();
      });
      filters.append(button);
    }
    filters.append(search);
  }
  update();
}

function showWorkers() {
  if (!workers.length) return;
  byId("workers").hidden = false;
  const optional = [["cpu", "processor", showTime], ["peak_bytes", "peak memory", showBytes]]
    .filter(([key]) => workers.some(worker => Number.isFinite(worker[key])));
  const head = ["worker", "started", "ready after", "lived", "items", "busy", ...optional.map(column => column[1])];
  const cell = value => make("td", "n", value);
  const line = worker => {
    const lived = (worker.ended ?? ended) - worker.started;
    const end = make("td", "");
    if (worker.why) end.append(make("span", worker.why === "retired" ? "badge guest" : "badge warn guest", String(worker.why)));
    if (!worker.why) end.append(make("span", "dim", "with the job"));
    return make("tr", "",
      make("td", "", `${worker.slot}.${worker.generation}`),
      cell(showTime(worker.started)), cell(Number.isFinite(worker.ready) ? showTime(worker.ready - worker.started) : "never"),
      cell(showTime(lived)), cell(grouped(worker.items)), cell(lived > 0 ? `${Math.min(100, 100 * worker.busy / lived).toFixed(0)} %` : ""),
      ...optional.map(([key, , show]) => cell(Number.isFinite(worker[key]) ? show(worker[key]) : "")), end);
  };
  let onlyEnded = false;
  const update = () => {
    const found = onlyEnded ? workers.filter(worker => worker.why) : workers;
    let body;
    paged(byId("worker-list"), found, (place, some, begin) => {
      if (begin) {
        body = make("tbody");
        const titles = head.map((name, at) => make("th", at ? "n" : "", name));
        place.className = "wide";
        place.append(make("table", "", make("thead", "", make("tr", "", ...titles, make("th", "", "ended"))), body));
      }
      body.append(...some.map(line));
    }, "No worker was replaced.");
  };
  if (workers.some(worker => worker.why) && workers.some(worker => !worker.why)) {
    const button = make("button", "", "Only those replaced");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      onlyEnded = !onlyEnded;
      button.setAttribute("aria-pressed", String(onlyEnded));
      update();
    });
    byId("worker-filters").append(button);
  }
  update();
  const leftOut = num(data.workers_left_out);
  if (leftOut) byId("workers").append(make("p", "none", `${plural(leftOut, "more worker")} were started later, and are not listed.`));
}

for (const time of document.querySelectorAll("time")) {
  const when = new Date(time.dateTime);
  if (!Number.isNaN(+when)) time.textContent = when.toLocaleString(undefined, {dateStyle: "long", timeStyle: "medium"});
}
const anything = rows.length > 0;
byId("nothing").hidden = anything;
for (const id of ["lanes", "zoom", "legend"]) byId(id).hidden = !anything;
function drawAll() {
  readColors();
  redraw();
  drawLatency();
}
read();
drawAll();
new ResizeObserver(drawAll).observe(byId("lanes"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("scroll", () => tip(), {passive: true});
showFailures();
showWorkers();
