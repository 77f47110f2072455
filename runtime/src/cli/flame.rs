//! A profile as a flame graph: each stack a tower, each function as wide as the share of samples it was in.
//!
//! Written by hand, without a script or a font of its own. Everything that guests named is escaped.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::pool::Profile;
use crate::text::markup;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;
const TOP: f64 = 50.0;
const MARGIN: f64 = 10.0;
/// What is narrower is not drawn: it could not be seen, and there may be very many.
const MIN_WIDTH: f64 = 0.2;
/// What a character of a name takes, about; a name is cut where it does not fit.
const CHARACTER: f64 = 6.6;

const STYLE: &str = "
  svg { background: #ffffff; font: 11px ui-monospace, monospace; }
  text { fill: #1c1c1e; } .dim { fill: #6b6b70; } rect { stroke: #ffffff; stroke-width: 0.5; }
  .a { fill: #f7c873; } .b { fill: #f3ad5e; } .c { fill: #ee9152; } .d { fill: #f5b97f; } .e { fill: #f0a069; }
  g:hover rect { stroke: #1c1c1e; } g text { fill: #1c1c1e; }
  @media (prefers-color-scheme: dark) {
    svg { background: #1c1c1e; } text { fill: #ececf0; } .dim { fill: #a0a0a8; } rect { stroke: #1c1c1e; }
  }
";
const COLOURS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A function where it was called, with what it called.
#[derive(Default)]
struct Node<'a> {
    samples: u64,
    called: BTreeMap<&'a str, Node<'a>>,
}

impl Node<'_> {
    fn depth(&self) -> usize {
        self.called
            .values()
            .map(|n| n.depth() + 1)
            .max()
            .unwrap_or(0)
    }
}

/// The picture, a whole document. The outermost functions stand at the bottom.
pub fn render(title: &str, profile: &Profile) -> String {
    let mut root = Node::default();
    for stack in profile.stacks() {
        let mut node = &mut root;
        node.samples += stack.samples;
        for name in stack.frames {
            node = node.called.entry(name).or_default();
            node.samples += stack.samples;
        }
    }
    let height = TOP + ROW * (root.depth() + 1) as f64 + MARGIN;
    let title = markup(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <text x=\"{MARGIN}\" y=\"20\">{title}</text>\n\
         <text x=\"{MARGIN}\" y=\"38\" class=\"dim\">{} samples, {} a second; the wider, the more time</text>\n",
        profile.samples(),
        profile.frequency(),
    );
    let all = root.samples.max(1) as f64;
    let mut drawing = Drawing {
        out: &mut out,
        scale: (WIDTH - 2.0 * MARGIN) / all,
        all,
    };
    drawing.draw("all", &root, MARGIN, height - MARGIN - ROW);
    out.push_str("</svg>\n");
    out
}

struct Drawing<'a> {
    out: &'a mut String,
    /// Units a sample.
    scale: f64,
    all: f64,
}

impl Drawing<'_> {
    fn draw(&mut self, name: &str, node: &Node<'_>, x: f64, y: f64) {
        let width = node.samples as f64 * self.scale;
        if width < MIN_WIDTH {
            return;
        }
        let share = 100.0 * node.samples as f64 / self.all;
        let whole = markup(name);
        let colour = name
            .bytes()
            .fold(7_usize, |sum, b| sum.wrapping_mul(31) + b as usize);
        let colour = COLOURS[colour % COLOURS.len()];
        let _ = write!(
            self.out,
            "<g><title>{whole}: {} samples, {share:.1} %</title><rect class=\"{colour}\" x=\"{x:.2}\" y=\"{y:.1}\" \
             width=\"{width:.2}\" height=\"{ROW}\" rx=\"1\"/>",
            node.samples,
        );
        let room = ((width - 6.0) / CHARACTER) as usize;
        if room >= 3 {
            let (x, y) = (x + 3.0, y + ROW - 5.0);
            let shown = markup(&fitted(name, room));
            let _ = write!(self.out, "<text x=\"{x:.2}\" y=\"{y:.1}\">{shown}</text>");
        }
        self.out.push_str("</g>\n");
        let mut x = x;
        for (name, called) in &node.called {
            self.draw(name, called, x, y - ROW);
            x += called.samples as f64 * self.scale;
        }
    }
}

/// At most so many characters, of a longer name the end: there a function says what it is.
fn fitted(name: &str, room: usize) -> String {
    let characters = name.chars().count();
    match characters > room {
        true => std::iter::once('…')
            .chain(name.chars().skip(characters - room + 1))
            .collect(),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_is_as_wide_as_its_share() {
        let profile = Profile::of(100, &[("main\nhot", 3), ("main", 1)]);
        let picture = render("m.wasm", &profile);
        let width = |name: &str| -> f64 {
            let (_, from) = picture.split_once(&format!("<title>{name}:")).unwrap();
            let (_, from) = from.split_once(" width=\"").unwrap();
            from.split_once('"').unwrap().0.parse().unwrap()
        };
        assert_eq!((width("main"), width("hot")), (1180.0, 885.0));
        assert!(picture.contains("hot: 3 samples, 75.0 %"));
    }

    #[test]
    fn names_of_guests_stay_text() {
        let hostile = "</svg><script>alert('x')</script>&\"\u{ffff}";
        let picture = render(hostile, &Profile::of(100, &[(hostile, 9)]));
        assert!(!picture.contains("<script") && !picture.contains('\u{ffff}'));
        assert_eq!(picture.matches("</svg>").count(), 1);
        assert!(picture.contains("&lt;/svg&gt;&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(!picture.replace("&amp;", "").contains("& "));
    }

    #[test]
    fn what_cannot_be_seen_is_not_drawn_and_long_names_keep_their_ends() {
        let picture = render("m", &Profile::of(100, &[("a", 1), ("b", 100_000)]));
        assert!(picture.contains("<title>b:") && !picture.contains("<title>a:"));
        assert_eq!(fitted("core::ops::call", 6), "…:call");
        assert_eq!(fitted("call", 6), "call");
        assert!(render("m", &Profile::default()).ends_with("</svg>\n"));
    }
}
