//! Builds what the V8 engine needs of C++, if it is built at all.
//!
//! V8 is looked for as Debian's `libnode-dev` installs it. These environment variables point to another:
//!
//! - `SANDGATE_V8_INCLUDE`: the directory with `v8.h`
//! - `SANDGATE_V8_LIB_DIR`: the directory with the library
//! - `SANDGATE_V8_LIB`: the library's name, `node` by default; with `static=` before it a static one
//! - `SANDGATE_V8_DEFINES`: the macros that this V8 was built with, such as `V8_COMPRESS_POINTERS`, separated by spaces
//!
//! `CXX` and `CXXFLAGS` choose the compiler and its options.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "v8")]
    v8::build();
}

#[cfg(feature = "v8")]
mod v8 {
    use std::env;
    use std::path::{Path, PathBuf};

    const SHIM: &str = "src/v8_engine/shim.cc";

    pub(crate) fn build() {
        println!("cargo::rerun-if-changed={SHIM}");
        let include = setting("SANDGATE_V8_INCLUDE").unwrap_or_else(|| "/usr/include/node".to_owned());
        let directory = setting("SANDGATE_V8_LIB_DIR").map_or_else(system_directory, PathBuf::from);
        let library = setting("SANDGATE_V8_LIB").unwrap_or_else(|| "node".to_owned());
        let defines = setting("SANDGATE_V8_DEFINES").unwrap_or_default();
        for (path, what) in
            [(Path::new(&include).join("v8.h"), "SANDGATE_V8_INCLUDE"), (directory.clone(), "SANDGATE_V8_LIB_DIR")]
        {
            if !path.exists() {
                println!("cargo::error=V8 is not there ({}): install libnode-dev or set {what}", path.display());
                return;
            }
        }
        let mut build = cc::Build::new();
        build
            .cpp(true)
            .std("c++17")
            .file(SHIM)
            .flag("-fno-rtti")
            .flag("-fvisibility=hidden")
            .flag("-isystem")
            .flag(&include);
        for define in defines.split_whitespace() {
            let (name, value) = define.split_once('=').map_or((define, None), |(name, value)| (name, Some(value)));
            build.define(name, value);
        }
        build.compile("sandgate_v8");
        println!("cargo::rustc-link-search=native={}", directory.display());
        let kind = if library.contains('=') { "" } else { "dylib=" };
        println!("cargo::rustc-link-lib={kind}{library}");
    }

    fn setting(name: &str) -> Option<String> {
        println!("cargo::rerun-if-env-changed={name}");
        env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn system_directory() -> PathBuf {
        let triple = format!("{}-linux-gnu", env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default());
        let multiarch = Path::new("/usr/lib").join(triple);
        if multiarch.join("libnode.so").exists() { multiarch } else { PathBuf::from("/usr/lib") }
    }
}
