//! What the module exports, as `wit/guest.wit` has it, and what it imports.

wit_bindgen::generate!({
    path: "wit",
    world: "guest",
    generate_all,
});

use self::wasmpool::task::log::{Level, log};

struct Tasks;

export!(Tasks);

impl Guest for Tasks {
    fn square(x: i32) -> Result<i32, String> {
        crate::square(x)
    }

    fn count_words(text: Vec<u8>) -> u32 {
        log(Level::Info, &format!("a text of {} bytes", text.len()));
        crate::count_words(&text)
    }
}
