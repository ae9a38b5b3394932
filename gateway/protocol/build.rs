//! Compiles the wire contract, without `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let statefun =
        ["statefun/request_reply.proto", "statefun/types.proto", "statefun/egress.proto"];
    prost_build::Config::new().bytes(["."]).compile_fds(protox::compile(statefun, ["proto"])?)?;
    // In a pass of its own: it refers to messages of the first pass by the module that we put them in.
    prost_build::Config::new()
        .bytes(["."])
        .extern_path(".io.statefun.sdk.reqreply", "crate::reqreply")
        .compile_fds(protox::compile(["tidegate/batch.proto"], ["proto"])?)?;
    Ok(())
}
