//! Migrations are embedded; a new file must rebuild the crate.

#[expect(clippy::print_stdout, reason = "this is how a build script speaks to Cargo")]
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
