//! Draws one frame of a very long timeline.
fn main() {
    divan::main();
}
