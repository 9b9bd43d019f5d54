//! An adapter around a loader of AWQ files: adapter OP INPUT OUTDIR, or adapter serve (protocol awqc/1).
//!
//! AWQ_CORE=DIR cargo build --release                builds it; DIR is the folder of the C++ core
//! awq-conformance doctor -- target/release/adapter  tells what is wrong with it
//! awq-conformance run -- target/release/adapter     certifies the loader
mod loader; // >>> YOUR LOADER: src/loader.rs

use std::ffi::OsString;
use std::io::{stdin, BufRead};
use std::path::Path;
use std::{env, fs, process};

// What hello says; as the text of any other answer it means nothing.
const HELLO: &str = "proto=1 name=my-loader ops=serve,dequant dtypes=f32 layouts=nk";

fn main() {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    process::exit(match &words[..] {
        [op] if op == "serve" => serve(),
        [op, _, outdir] if op == "hello" => {
            fs::write(Path::new(outdir).join("hello.txt"), HELLO).map_or(74, |()| 0)
        }
        [op, input, outdir] if op == "dequant" => dequant(Path::new(input), Path::new(outdir)),
        _ => 69,
    })
}

fn serve() -> i32 {
    for line in stdin().lock().lines() {
        let line = line.expect("a line of UTF-8");
        let ["@awq", id, op, input, outdir] = line.split('\t').collect::<Vec<_>>()[..] else {
            continue; // no request
        };
        let status = match op {
            "hello" => 0,
            "dequant" => dequant(Path::new(input), Path::new(outdir)),
            _ => 69,
        };
        let word = match status {
            0 => "ok",
            65 => "reject",
            69 => "unsupported",
            _ => "error",
        };
        println!("@awq\t{id}\t{word}\t\t{HELLO}"); // flushed at the end of the line, to a pipe as well
    }
    0
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
