//! Generates the wire's types from `breakglass/v1/*.proto`, without `protoc`.

use std::path::Path;

/// The service; it imports the other files.
const SERVICE: &str = "breakglass/v1/broker.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=breakglass");
    let mut compiler = protox::Compiler::new(["."])?;
    // Comments become the documentation of the generated code.
    compiler.include_source_info(true).include_imports(true).open_files([SERVICE])?;
    let descriptors = Path::new(&std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
