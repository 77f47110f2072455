//! Reports, opened in a browser: what they show is what they were given; they complain of nothing, load nothing, and run
//! nothing of what guests wrote. Leaves pictures of them in `<target>/tmp/report`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use wasmpool::cli::report;
use wasmpool_tests::{Browser, Look, Page, Suite, Temporary, browser, module, temporary, wasmpool};

const MILLISECOND: u64 = 1_000_000;
/// What a guest may call itself: it ends elements, begins others, and turns the direction of writing.
const EVIL: &str = "</script><script>window.bad=1</script><img src=x onerror=\"window.bad=1\"><!--<script>{{data}}'&\u{2028}\u{202e}\u{1b}[1m\0";

type Test = (&'static str, fn());

const TESTS: [Test; 11] = [
    ("a_job_of_this_program", real),
    ("a_job_with_failures", with_failures),
    ("a_hundred_thousand_items", hundred_thousand),
    ("an_empty_job", empty),
    ("hostile_text_stays_text", hostile),
    ("spans_are_drawn_where_they_were", spans_are_drawn),
    ("the_timeline_is_used_by_keys", keys),
    ("the_timeline_is_used_by_pointer", pointer),
    ("failures_are_found_and_opened", failures_are_found),
    ("without_scripts_the_figures_are_there", without_scripts),
    ("the_checks_find_what_they_look_for", the_checks_find),
];

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for (name, run) in TESTS {
        suite = suite.where_possible(name, browser().map(drop), run);
    }
    suite.run()
}

/// A job of `workers`, each of which runs every `workers`th item for a millisecond, with as long a pause behind it. Every
/// hundredth item fails.
fn job(workers: u64, items: u64) -> Value {
    let mut spans = Vec::new();
    let mut failures = Vec::new();
    let ready = MILLISECOND;
    for index in 0..items {
        let (slot, turn) = (index % workers, index / workers);
        let from = ready + turn * 2 * MILLISECOND;
        let failed = u64::from(index % 100 == 7);
        spans.push(json!([slot, 1, index, 1, from, from + MILLISECOND, failed]));
        if failed == 1 {
            let kind = if index % 200 == 7 { "failed" } else { "trap" };
            failures.push(json!({"index": index, "name": format!("item-{index}.txt"), "kind": kind,
                "message": format!("no luck with {index}"), "backtrace": ["inner", "outer"], "attempts": 1,
                "at": from + MILLISECOND}));
        }
    }
    let ended = ready + (items.div_ceil(workers) * 2 + 1) * MILLISECOND;
    let lives: Vec<Value> = (0..workers)
        .map(|slot| {
            json!({"slot": slot, "generation": 1, "started": 0, "ready": ready, "ended": ended,
            "why": "closed", "cpu": ended / 2, "peak_bytes": 3 << 20})
        })
        .collect();
    let failed = failures.len() as u64;
    let half = |of: u64| of / 2;
    json!({
        "version": 1, "program": "wasmpool 0.1.0", "engine": "wasmtime 48", "command": ["wasmpool", "map", "a b.wasm"],
        "module": "some/where/job.wasm", "function": "work", "started_unix": 1_763_917_239.5, "ended": ended,
        "exit": if failed > 0 { "failed" } else { "done" }, "workers": lives, "spans": spans, "resolution": 0,
        "latency": {"count": items, "min": MILLISECOND, "p50": MILLISECOND, "p90": MILLISECOND, "p99": MILLISECOND,
            "max": MILLISECOND, "buckets": [[MILLISECOND, items]]},
        "memory": [[0, 1 << 20, workers], [half(ended), workers * (3 << 20), workers]],
        "throughput": [[0, 0, 0], [half(ended), half(items - failed), half(failed)], [ended, items - failed, failed]],
        "failures": failures, "failures_left_out": 0,
        "counts": {"done": items - failed, "failed": {"trap": failed / 2, "failed": failed.div_ceil(2)}, "cached": 0,
            "run_again": 0, "workers_started": workers, "workers_replaced": 0, "chunks": items, "bytes_in": items * 10,
            "bytes_out": items, "cpu": ended, "peak_bytes": 3 << 20},
        "limits": {"timeout_ns": 2_000_000_000_u64, "memory_bytes": 256 << 20},
        "layers": [{"name": "seccomp", "state": "in force"}, {"name": "control group", "state": "not available"}],
    })
}

/// A page in a file, as a browser gets it.
struct Shown {
    _folder: Temporary,
    url: String,
}

fn shown(data: &Value) -> Shown {
    let folder = temporary();
    let path = folder.write("report.html", report::page(data));
    Shown {
        url: format!("file://{path}"),
        _folder: folder,
    }
}

fn start() -> Browser {
    Browser::start(&browser().expect("only run with one"))
}

/// Where pictures are left for people to look at.
fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("report")
        .join(format!("{name}.png"))
}

/// What holds of every page: it complains of nothing, asks for nothing but itself, and fits the window.
#[track_caller]
fn is_sound(page: &mut Page<'_>, url: &str) {
    assert_eq!(page.complaints(), [] as [String; 0]);
    assert_eq!(page.requests(), [url]);
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(page.value(fits), true, "it is wider than the window");
    assert_eq!(page.value("typeof window.bad"), "undefined");
}

/// Looks at a page in every way that people do.
#[track_caller]
fn looks(name: &str, data: &Value, mut check: impl FnMut(&mut Page<'_>)) {
    let shown = shown(data);
    let mut browser = start();
    for (look, called) in [
        (Look::DESK, "light"),
        (Look::DARK, "dark"),
        (Look::NARROW, "narrow"),
    ] {
        let mut page = browser.open(&shown.url, look);
        check(&mut page);
        is_sound(&mut page, &shown.url);
        page.picture(&picture(&format!("{name}-{called}")), true);
    }
}

/// How many colours a canvas shows: one that nothing was drawn on shows one.
fn colours(page: &mut Page<'_>, id: &str) -> u64 {
    let count = format!(
        "(() => {{ const c = document.getElementById('{id}'); const d = c.getContext('2d').getImageData(0, 0, c.width, \
         c.height).data; return new Set(new Uint32Array(d.buffer)).size }})()"
    );
    page.value(&count).as_u64().expect("a number")
}

#[track_caller]
fn is_drawn(page: &mut Page<'_>) {
    for id in ["overview", "axis", "rows", "rate", "memory", "latency"] {
        assert!(colours(page, id) > 2, "{id} is blank");
    }
}

fn text(page: &mut Page<'_>, selector: &str) -> String {
    let text = page.value(&format!("document.querySelector('{selector}').innerText"));
    text.as_str().expect("a text").to_owned()
}

fn with_failures() {
    let mut data = job(4, 400);
    let worker = json!({"slot": 4, "generation": 1, "started": 0, "ready": MILLISECOND,
        "ended": 50 * MILLISECOND, "why": "trap", "cpu": null, "peak_bytes": null});
    data["workers"].as_array_mut().unwrap().push(worker);
    looks("failures", &data, |page| {
        is_drawn(page);
        assert_eq!(text(page, "h1"), "job.wasm:work");
        assert_eq!(
            text(page, ".lead"),
            "400 items in 202 ms by 5 workers, 4 failed."
        );
        assert_eq!(text(page, "#workers .badge"), "trap");
        assert!(text(page, ".command").contains("wasmpool map 'a b.wasm'"));
    });
}

/// What the program itself writes, of a job whose items fail in two ways.
fn real() {
    let folder = temporary();
    let report = folder.text("report.html");
    let behave = format!("{}:spin-if-negative", module("behave"));
    let args = ["map", &behave, "1", "-2", "x", "4", "--timeout", "300ms"];
    let more = ["--on-error", "continue", "--quiet", "--report", &report];
    wasmpool(args.into_iter().chain(more)).run().exits(1);
    let mut browser = start();
    let url = format!("file://{report}");
    let mut page = browser.open(&url, Look::DESK);
    is_drawn(&mut page);
    assert_eq!(text(&mut page, "h1"), "behave.wat:spin-if-negative");
    let lead = text(&mut page, ".lead");
    assert!(
        lead.starts_with("4 items in ") && lead.ends_with(" 2 failed."),
        "{lead}"
    );
    let failures = text(&mut page, "#failures");
    for part in [
        "item 1",
        "timeout",
        "longer than its time limit of 300ms",
        "item 2",
        "invalid-input",
    ] {
        assert!(failures.contains(part), "{part}: {failures}");
    }
    let workers = page
        .value("[...document.querySelectorAll('#workers .badge')].map(b => b.innerText).join()");
    assert_eq!(workers, "timeout");
    let said = text(&mut page, "main");
    for part in ["300 ms", "256 MiB", "seccomp", "--on-error continue"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    is_sound(&mut page, &url);
    page.picture(&picture("real"), true);
}

fn hundred_thousand() {
    looks("hundred-thousand", &job(8, 100_000), |page| {
        is_drawn(page);
        assert!(text(page, ".tiles").contains("99,000"));
        assert!(text(page, "#failures").contains("20 of 1,000"));
    });
}

fn empty() {
    let job = json!({"counts": {"done": 0, "failed": {}}, "workers": [], "spans": [], "ended": 1000, "exit": "done"});
    for (name, data) in [("empty", job), ("nothing", json!({}))] {
        looks(name, &data, |page| {
            assert!(text(page, ".lead").starts_with("0 items in "));
            assert!(text(page, "#failures").contains("No item failed."));
            assert_eq!(page.value("document.getElementById('lanes').hidden"), true);
        });
    }
}

/// A copy in which every text is a hostile one, names of kinds and limits too.
fn spoiled(value: &Value) -> Value {
    match value {
        Value::String(_) => EVIL.into(),
        Value::Array(values) => values.iter().map(spoiled).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.clone(), spoiled(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn hostile() {
    let mut data = spoiled(&job(2, 400));
    data["counts"]["failed"] = json!({EVIL: 4, "__proto__": 1});
    data["limits"] = json!({EVIL: EVIL});
    data["failures"][1]["message"] = "x".repeat(100_000).into();
    // Numbers that no job has.
    data["spans"][0] = json!([0, 1, "x", null, -5, "y", 1e99]);
    data["failures"][2]["index"] = EVIL.into();
    looks("hostile", &data, |page| {
        page.value("for (const d of document.querySelectorAll('details')) d.open = true");
        page.painted();
        assert!(text(page, "#failures").contains("<script>window.bad=1</script>"));
        assert_eq!(
            page.value("document.querySelectorAll('main img, main script').length"),
            0
        );
        let bodies = page.value("document.querySelectorAll('details .body').length");
        assert_eq!(bodies, 4);
    });
}

/// The colour of a point of the timeline, as its page names it: `busy`, `bad`, `track`, `start` or none of them.
fn colour_at(page: &mut Page<'_>, row: u32, moment: u64, ended: u64) -> String {
    let found = page.value(&format!(
        "(() => {{ const c = document.getElementById('rows'), left = 58;
        const x = Math.round(left + {moment} / {ended} * (c.clientWidth - left)), y = {row} * 24 + 8;
        const one = document.createElement('canvas').getContext('2d', {{willReadFrequently: true}});
        one.drawImage(c, -x, -y);
        const [r, g, b] = one.getImageData(0, 0, 1, 1).data;
        const hex = '#' + [r, g, b].map(n => n.toString(16).padStart(2, '0')).join('');
        const style = getComputedStyle(document.documentElement);
        return ['busy', 'bad', 'track', 'start'].find(n => style.getPropertyValue('--' + n).trim() === hex) || hex }})()"
    ));
    found.as_str().expect("a name").to_owned()
}

fn spans_are_drawn() {
    let data = json!({
        "ended": 100, "counts": {"done": 9, "failed": {"trap": 1}},
        "workers": [
            {"slot": 0, "generation": 1, "started": 0, "ready": 10, "ended": null, "why": null},
            {"slot": 3, "generation": 1, "started": 40, "ready": 40, "ended": 80, "why": "trap"},
        ],
        "spans": [[0, 1, 0, 8, 20, 50, 0], [0, 1, 8, 1, 70, 90, 0], [3, 1, 9, 1, 50, 80, 1]],
    });
    let shown = shown(&data);
    let mut browser = start();
    for look in [Look::DESK, Look::DARK] {
        let mut page = browser.open(&shown.url, look);
        for (row, moment, expected) in [
            (0, 5, "start"),
            (0, 15, "track"),
            (0, 35, "busy"),
            (0, 60, "track"),
            (0, 80, "busy"),
            (0, 95, "track"),
            (1, 45, "track"),
            (1, 65, "bad"),
        ] {
            assert_eq!(
                colour_at(&mut page, row, moment, 100),
                expected,
                "{row} {moment}"
            );
        }
        // Before and after it lived there is nothing.
        for moment in [15, 90] {
            let nothing = colour_at(&mut page, 1, moment, 100);
            assert!(nothing.starts_with('#'), "{moment}: {nothing}");
        }
        is_sound(&mut page, &shown.url);
    }
}

fn keys() {
    let shown = shown(&job(2, 200));
    let mut browser = start();
    let mut page = browser.open(&shown.url, Look::DESK);
    let whole = "document.getElementById('overview').toDataURL()";
    let before = page.value(whole);
    page.value("document.getElementById('rows').focus()");
    let said = |page: &mut Page<'_>| text(page, "#said");
    page.press("ArrowRight");
    assert!(
        said(&mut page).starts_with("Item 0; 1.00 ms"),
        "{}",
        said(&mut page)
    );
    page.press("ArrowRight");
    assert!(
        said(&mut page).starts_with("Item 2;"),
        "{}",
        said(&mut page)
    );
    page.press("ArrowDown");
    assert!(
        said(&mut page).starts_with("Item 3;"),
        "{}",
        said(&mut page)
    );
    assert!(said(&mut page).contains("worker 1, generation 1;"));
    assert!(text(&mut page, "#tip").starts_with("Item 3"));
    page.press("ArrowUp");
    page.press("ArrowLeft");
    page.press("ArrowLeft");
    assert!(
        said(&mut page).starts_with("Item 0;"),
        "{}",
        said(&mut page)
    );
    assert_eq!(page.value(whole), before);
    for key in ["+", "-", "0", "Home", "End", "PageUp", "PageDown"] {
        page.press("+");
        page.press(key);
    }
    assert_ne!(page.value(whole), before);
    page.press("0");
    assert_eq!(page.value(whole), before);
    page.press("Escape");
    assert_eq!(page.value("document.getElementById('tip').hidden"), true);
    is_sound(&mut page, &shown.url);
}

fn pointer() {
    let shown = shown(&job(2, 20));
    let mut browser = start();
    let mut page = browser.open(&shown.url, Look::DESK);
    page.value("document.getElementById('rows').scrollIntoView({block: 'center'})");
    page.painted();
    // In the middle of the third item of worker 1: from 5 ms to 6 ms, of 22 ms.
    let place = page.value(
        "(() => { const b = document.getElementById('rows').getBoundingClientRect();
        return [5.5, 6.5].map(ms => b.left + 58 + ms / 22 * (b.width - 58)).concat(b.top + 36) })()",
    );
    let place = |at: usize| place[at].as_f64().expect("a number");
    let (running, waiting, y) = (place(0), place(1), place(2));
    page.point(running, y);
    let tip = text(&mut page, "#tip");
    assert!(tip.starts_with("Item 5\n1.00 ms\n"), "{tip}");
    assert!(text(&mut page, "#rate-reading").contains("a second"));
    assert!(text(&mut page, "#memory-reading").contains("2 workers"));
    page.point(waiting, y);
    let tip = text(&mut page, "#tip");
    assert!(
        tip.starts_with("Worker 1, generation 1\nwaiting for items"),
        "{tip}"
    );
    page.point(5.0, 5.0);
    assert_eq!(page.value("document.getElementById('tip').hidden"), true);
    is_sound(&mut page, &shown.url);
}

fn failures_are_found() {
    let shown = shown(&job(2, 6000));
    let mut browser = start();
    let mut page = browser.open(&shown.url, Look::DESK);
    let count = "document.querySelectorAll('#failures details').length";
    assert_eq!(page.value(count), 20);
    page.value("document.querySelector('#failures .more button').click()");
    assert_eq!(page.value(count), 60);
    page.value("[...document.querySelectorAll('#filters button')].find(b => b.innerText === 'trap 30').click()");
    assert_eq!(page.value(count), 20);
    assert!(text(&mut page, "#failures").contains("20 of 30"));
    page.value("document.querySelector('#filters input').focus()");
    page.ask("Input.insertText", json!({"text": "WITH 307"}));
    assert_eq!(page.value(count), 1);
    page.value("document.querySelector('#failures details').open = true");
    page.painted();
    let body = text(&mut page, "#failures details .body");
    assert!(body.starts_with("no luck with 307"), "{body}");
    assert!(body.contains("inner\nouter"), "{body}");
    page.value("document.querySelector('#failures details .body button').click()");
    page.painted();
    assert!(text(&mut page, "#said").starts_with("Item 307;"));
    assert!(text(&mut page, "#said").contains("1 item failed"));
    is_sound(&mut page, &shown.url);
}

fn without_scripts() {
    let shown = shown(&job(2, 400));
    let mut browser = start();
    let look = Look {
        scripts: false,
        ..Look::DESK
    };
    let mut page = browser.open(&shown.url, look);
    let said = text(&mut page, "main");
    for part in [
        "396",
        "drawn by a script",
        "item 7 (item-7.txt): failed: no luck with 7",
        "256 MiB",
        "in force",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    page.picture(&picture("plain"), true);
    is_sound(&mut page, &shown.url);
}

/// A page that does what no report may: each of it is seen.
fn the_checks_find() {
    let folder = temporary();
    folder.write("other.js", "console.log('loaded')");
    let page = "<!doctype html><script src='other.js'></script><script>
        fetch('https://example.invalid/').catch(() => 0);
        setTimeout(() => { throw new Error('thrown') });
        console.error('said');
        </script><canvas id='rows' width='9' height='9'></canvas><div style='width: 9999px'>wide</div>";
    let path = folder.write("page.html", page);
    let mut browser = start();
    let mut page = browser.open(&format!("file://{path}"), Look::DESK);
    let complaints = page.complaints().join("\n");
    for part in ["loaded", "thrown", "said"] {
        assert!(complaints.contains(part), "{part}: {complaints}");
    }
    let requests = page.requests().join("\n");
    for part in ["page.html", "other.js", "example.invalid"] {
        assert!(requests.contains(part), "{part}: {requests}");
    }
    assert_eq!(colours(&mut page, "rows"), 1);
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(page.value(fits), false);
}
