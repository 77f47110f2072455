//! A browser without a window: opens pages, and tells what they complain of, what they ask the network for, and how they
//! look.
//!
//! Speaks the DevTools protocol on two pipes: messages are JSON, each with a zero byte behind it. What is opened are pages
//! of these tests, so the browser's own sandbox is left off: it cannot be had as root, nor in most containers.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::{PATIENCE, Temporary, temporary};

/// Names under which browsers are installed that speak the protocol.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chromium-headless-shell",
];

/// How long a browser may take to close before it is killed.
const CLOSING: Duration = Duration::from_secs(5);

/// The browser of this machine, or else the one that `cargo xtask browser` installed; or why there is none.
///
/// # Errors
/// If there is neither.
pub fn browser() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path) {
        let found = NAMES.iter().map(|name| folder.join(name));
        if let Some(found) = found.into_iter().find(|path| path.is_file()) {
            return Ok(found);
        }
    }
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let installed = this.ancestors().map(|f| f.join("browser/chromium"));
    let found = installed.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| "no browser: `cargo xtask browser` installs one".into())
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The window's width, in CSS pixels.
    pub width: u32,
    /// The window's height.
    pub height: u32,
    /// Whether the reader prefers dark pages.
    pub dark: bool,
    /// Whether scripts may run.
    pub scripts: bool,
}

impl Look {
    /// A window on a desk, light.
    pub const DESK: Look = Look {
        width: 1280,
        height: 900,
        dark: false,
        scripts: true,
    };

    /// The same, for who prefers dark pages.
    pub const DARK: Look = Look {
        dark: true,
        ..Look::DESK
    };

    /// A telephone.
    pub const NARROW: Look = Look {
        width: 390,
        height: 844,
        ..Look::DESK
    };
}

/// A running browser. It ends with its value.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: ChildStdin,
    said: Receiver<Value>,
    /// Events that came before anybody asked for them.
    events: VecDeque<Value>,
    requests: u64,
    _profile: Temporary,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(program: &Path) -> Self {
        let profile = temporary();
        let folder = profile.text("profile");
        // The protocol wants descriptors 3 and 4; a shell puts them there.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >&2", "sh"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--no-first-run", "--disable-component-update"])
            .args(["--remote-debugging-pipe", "about:blank"])
            .arg(format!("--user-data-dir={folder}"))
            .env("HOME", &folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let to = child.stdin.take().expect("it was asked for");
        let from = child.stdout.take().expect("it was asked for");
        let (tell, said) = channel();
        thread::spawn(move || {
            for message in messages(from) {
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        Browser {
            child,
            to,
            said,
            events: VecDeque::new(),
            requests: 0,
            _profile: profile,
        }
    }

    /// Opens a page and waits until it is loaded and was painted.
    ///
    /// # Panics
    /// If there is no such page, or it takes too long.
    pub fn open(&mut self, url: &str, look: Look) -> Page<'_> {
        let blank = json!({"url": "about:blank"});
        let target = self.ask(None, "Target.createTarget", blank);
        let whole = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.ask(None, "Target.attachToTarget", whole);
        let mut page = Page {
            session: session["sessionId"].as_str().expect("a session").into(),
            target: target["targetId"].clone(),
            browser: self,
            complaints: Vec::new(),
            requests: Vec::new(),
        };
        for domain in ["Runtime", "Log", "Network", "Page"] {
            page.ask(&format!("{domain}.enable"), json!({}));
        }
        let scheme = match look.dark {
            true => "dark",
            false => "light",
        };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        page.ask("Emulation.setEmulatedMedia", json!({"features": features}));
        page.ask(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !look.scripts}),
        );
        page.resize(look.width, look.height);
        let gone = page.ask("Page.navigate", json!({"url": url}));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        page.wait_for("Page.loadEventFired");
        if look.scripts {
            page.painted();
        }
        page
    }

    fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let sent = self.to.write_all(format!("{message}\0").as_bytes());
        sent.unwrap_or_else(|e| panic!("{method}: the browser is gone: {e}"));
        loop {
            let mut answer = self.next(method);
            if answer["id"] != id {
                self.events.push_back(answer);
                continue;
            }
            assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
            return answer["result"].take();
        }
    }

    fn next(&self, wanted: &str) -> Value {
        let next = self.said.recv_timeout(PATIENCE);
        next.unwrap_or_else(|e| panic!("{wanted}: the browser says nothing: {e}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It started processes of its own, which end in order if it does, and are in its group if not.
        let close = json!({"id": 0, "method": "Browser.close"});
        if self.to.write_all(format!("{close}\0").as_bytes()).is_ok() {
            let end = Instant::now() + CLOSING;
            while self
                .said
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .is_ok()
            {}
        }
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn messages(from: ChildStdout) -> impl Iterator<Item = Value> {
    let messages = BufReader::new(from).split(0);
    messages.map_while(|bytes| serde_json::from_slice(&bytes.ok()?).ok())
}

/// An open page. It is closed with its value.
#[derive(Debug)]
pub struct Page<'b> {
    browser: &'b mut Browser,
    session: String,
    target: Value,
    complaints: Vec<String>,
    requests: Vec<String>,
}

impl Page<'_> {
    /// Sends one command of the protocol to this page, and returns what it answers.
    ///
    /// # Panics
    /// If the answer is an error.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }

    /// The value of an expression; that of a promise is waited for.
    ///
    /// # Panics
    /// If it throws.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.ask("Runtime.evaluate", params);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].take()
    }

    /// Gives the window another size.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size);
    }

    /// Waits until what is to be drawn by now was drawn.
    pub fn painted(&mut self) {
        let twice = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))";
        self.value(twice);
    }

    /// Presses and releases a key.
    pub fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key});
            if kind == "keyDown" && key.chars().count() == 1 {
                event["text"] = key.into();
            }
            if key == "Enter" {
                event["windowsVirtualKeyCode"] = 13.into();
                event["text"] = "\r".into();
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
        self.painted();
    }

    /// Moves the pointer, in CSS pixels from the window's corner.
    pub fn point(&mut self, x: f64, y: f64) {
        let event = json!({"type": "mouseMoved", "x": x, "y": y});
        self.ask("Input.dispatchMouseEvent", event);
        self.painted();
    }

    /// A picture of the whole page, or of what the window shows, into a file.
    pub fn picture(&mut self, path: &Path, whole: bool) {
        let params = json!({"format": "png", "captureBeyondViewport": whole});
        let picture = self.ask("Page.captureScreenshot", params);
        let bytes = from_base64(picture["data"].as_str().expect("a picture"));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the folder of pictures");
        }
        fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// What was said on the console, thrown and not caught, or refused, until now.
    pub fn complaints(&mut self) -> &[String] {
        self.take_events();
        &self.complaints
    }

    /// What was asked for, the page itself first, until now. Parts that are written into the page (`data:`) are not
    /// requests.
    pub fn requests(&mut self) -> &[String] {
        self.take_events();
        &self.requests
    }

    fn wait_for(&mut self, method: &str) {
        loop {
            let event = match self.browser.events.pop_front() {
                Some(event) => event,
                None => self.browser.next(method),
            };
            let found = event["method"] == method && event["sessionId"] == self.session.as_str();
            self.note(&event);
            if found {
                return;
            }
        }
    }

    fn take_events(&mut self) {
        // What has happened before the answer was sent before it.
        self.ask("Runtime.getIsolateId", json!({}));
        while let Some(event) = self.browser.events.pop_front() {
            self.note(&event);
        }
    }

    fn note(&mut self, event: &Value) {
        if event["sessionId"] != self.session.as_str() {
            return;
        }
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.consoleAPICalled") => self
                .complaints
                .push(format!("console.{}: {}", params["type"], params["args"])),
            Some("Runtime.exceptionThrown") => self
                .complaints
                .push(format!("not caught: {}", params["exceptionDetails"])),
            Some("Log.entryAdded") => self.complaints.push(params["entry"].to_string()),
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("data:") {
                    self.requests.push(url.to_owned());
                }
            }
            _ => {}
        }
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        // A test that has failed is not to hide why behind a browser that is gone.
        if !thread::panicking() {
            let params = json!({"targetId": self.target});
            self.browser.ask(None, "Target.closeTarget", params);
            self.browser.events.clear();
        }
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(digit).collect();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for four in digits.chunks(4) {
        let bits = four.iter().fold(0_u32, |bits, &d| bits << 6 | u32::from(d));
        let bits = bits << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [
            ("", ""),
            ("TQ==", "M"),
            ("TWE=", "Ma"),
            ("TWFu", "Man"),
            ("TWFuTQ==", "ManM"),
        ] {
            assert_eq!(from_base64(text), bytes.as_bytes());
        }
    }
}
