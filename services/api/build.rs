//! Tells cargo when the embedded dashboard has changed. It is built by npm (`./dev up` does so), not from here; a binary
//! that is built without it says so at `/`.

use std::path::Path;

fn main() {
    let built = "dashboard/dist";
    // A path that is missing counts as changed each time, so its folder is watched instead until it is there.
    let watched = if Path::new(built).is_dir() { built } else { "dashboard" };
    println!("cargo::rerun-if-changed={watched}");
}
