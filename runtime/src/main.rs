//! The command line.
fn main() {
    wasmpool::worker::enter_if_asked();
}
