//! An adapter around a loader of AWQ files: adapter OP INPUT OUTDIR (protocol awqc/1, one-shot).
//!
//! AWQ_CORE=DIR cargo build --release                builds it; DIR is the folder of the C++ core
//! awq-conformance doctor -- target/release/adapter  tells what is wrong with it
//! awq-conformance run -- target/release/adapter     certifies the loader
mod loader; // >>> YOUR LOADER: src/loader.rs

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs, process};

fn main() {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    process::exit(match &words[..] {
        [op, input, outdir] if op == "dequant" => dequant(Path::new(input), Path::new(outdir)),
        _ => 69,
    })
}

fn dequant(input: &Path, outdir: &Path) -> i32 {
    let weights = match loader::load(input) {
        Ok(weights) => weights,
        Err(status) => return status,
    };
    for w in weights {
        let name = format!("{}.W.nk.f32.{}.bin", w.number, w.shape);
        let bytes: Vec<u8> = w.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(outdir.join(name), bytes).expect("OUTDIR can be written");
    }
    0
}
