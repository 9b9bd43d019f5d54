//! Builds the C++ core, whose C interface src/loader.rs calls, from its folder $AWQ_CORE. With your own loader in place
//! of it, delete this file.
use std::{env, process, process::Command};

fn cmake(arguments: &[&str]) {
    let status = Command::new("cmake").args(arguments).status();
    if !matches!(status, Ok(status) if status.success()) {
        eprintln!("cmake {}: {status:?}", arguments.join(" "));
        process::exit(1);
    }
}

fn main() {
    println!("cargo:rerun-if-env-changed=AWQ_CORE");
    let Ok(core) = env::var("AWQ_CORE") else {
        eprintln!(
            "set AWQ_CORE to the folder of the C++ core, or put your own loader in its place"
        );
        process::exit(1);
    };
    let build = env::var("OUT_DIR").expect("cargo sets it") + "/awq";
    let options = [
        "-DAWQ_WITH_OPENSSL=OFF",
        "-DAWQ_WERROR=OFF",
        "-DBUILD_TESTING=OFF",
    ];
    cmake(&[&["-S", &core, "-B", &build], &options[..]].concat());
    cmake(&["--build", &build, "--target", "awq"]);
    println!("cargo:rerun-if-changed={core}");
    println!("cargo:rustc-link-search=native={build}");
    println!("cargo:rustc-link-lib=static=awq");
    let runtime = if cfg!(target_vendor = "apple") {
        "c++"
    } else {
        "stdc++"
    };
    println!("cargo:rustc-link-lib=dylib={runtime}");
}
