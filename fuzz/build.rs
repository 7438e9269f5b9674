//! Lets the targets find the engines' libraries that they are linked with.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    anira_link::rpath();
}
