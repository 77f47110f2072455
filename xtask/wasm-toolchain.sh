#!/usr/bin/env bash
# wasm-toolchain.sh PREFIX TARGET...  --  a rustc that builds WebAssembly, from Debian packages, under PREFIX.
#
# For machines where `rustup target add` cannot work but apt can: downloads Debian 12's `rustc-web` (a compiler newer
# than the suite's own), builds its standard library for each TARGET once, and takes `rust-lld` and `wasm-component-ld`
# from the active rustup toolchain. Prints the path of the compiler on stdout; everything else goes to stderr.
#
# Needs no privileges and asks nothing. Nothing outside PREFIX is written, except what cargo itself caches. Safe to run
# again: a finished install is reused, an interrupted one keeps its downloads. The caller holds a lock over PREFIX.
# The mirrors are those of apt's own sources; WASMPOOL_DEBIAN_MIRROR and WASMPOOL_DEBIAN_SECURITY_MIRROR override them.
set -euo pipefail

prefix=${1:?usage: wasm-toolchain.sh PREFIX TARGET...}
shift
targets=("$@")
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd -P)

# A change of the recipe changes this line, and installs of the older recipe are redone.
recipe="1: ${targets[*]}"
root=$prefix/debian
usr=$root/usr
rustc=$root/bin/rustc
stamp=$root/recipe
apt_state=$prefix/apt
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "wasm-toolchain: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# What the caller sets for builds of the host would end up in the standard library.
for variable in $(compgen -e); do
  case $variable in
    CARGO_HOME | CARGO_HTTP_* | CARGO_NET_* | CARGO_REGISTR* | CARGO_SOURCE_* | RUSTUP_*) ;;
    CARGO* | RUST* | LD_LIBRARY_PATH) unset "$variable" ;;
  esac
done
host=$(rustc -vV | sed -n 's/^host: //p')
linkers=$(rustc --print sysroot)/lib/rustlib/$host/bin

# The linkers are linked anew on every run, since the rustup toolchain may have been updated in between.
link_linkers() {
  mkdir -p "$usr/lib/rustlib/$host"
  ln -sfn "$linkers" "$usr/lib/rustlib/$host/bin"
}

# mirror RELEASE-PATTERN: the first of apt's sources whose release matches, as a URI.
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 2>/dev/null |
    awk -v pattern="^($1)\$" '$2 ~ pattern && !found { print $1; found = 1 }'
}

# download NAME "SOURCES" PACKAGE...: the packages and what they need, into $apt_state/NAME/archives. The settings are
# read after the system's own, so that proxies and credentials still count, and its hooks do not run.
download() {
  local state=$apt_state/$1
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  printf '%b' "$2" >"$state/sources.list"
  cat >"$state/apt.conf" <<EOF
Dir::Etc::SourceList "$state/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$state/lists";
Dir::Cache "$state";
Dir::Cache::Archives "$state/archives";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "true";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
EOF
  shift 2
  apt-get -qq -c "$state/apt.conf" update </dev/null >&2 &&
    apt-get -qq -y -c "$state/apt.conf" --no-install-recommends --reinstall --download-only install "$@" </dev/null >&2
}

unpack() {
  local suite=bookworm security wasi= package
  main=${WASMPOOL_DEBIAN_MIRROR:-$(mirror 'bookworm|trixie|forky|sid|oldstable|stable|testing|unstable')}
  security=${WASMPOOL_DEBIAN_SECURITY_MIRROR:-$(mirror '[a-z]+-security')}
  [ -n "$main" ] && [ -n "$security" ] || die "apt's sources name no Debian mirror with a security suite"
  [ -r "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"

  say "downloading a compiler from Debian (about 140 MB)"
  download compiler "deb [signed-by=$keyring] $main bookworm main\ndeb [signed-by=$keyring] $security bookworm-security main\n" \
    rustc-web libstd-rust-web-dev rust-web-src || die "apt could not download the compiler"
  # wasi-libc holds static archives only, so that any suite's will do. The oldest knows no WASI 0.2 and only the newest
  # has the thread functions that std refers to.
  for suite in forky trixie bookworm; do
    if download "libc-$suite" "deb [signed-by=$keyring] $main $suite main\n" wasi-libc; then
      wasi=$apt_state/libc-$suite/archives
      break
    fi
  done
  [ -n "$wasi" ] || die "apt could not download wasi-libc"

  say "unpacking"
  rm -rf "$root"
  mkdir -p "$root/bin"
  for package in "$apt_state"/compiler/archives/*.deb; do
    case $package in
      *rust-web-src*) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --wildcards './usr/src/*/library*' ;;
      *) dpkg-deb -x "$package" "$root" ;;
    esac
  done
  for package in "$wasi"/wasi-libc_*.deb; do dpkg-deb -x "$package" "$root"; done
}

# rustc's own libraries are found through a wrapper, because the packages were built for /usr.
write_wrapper() {
  local driver
  driver=$(find "$usr/lib" -name 'librustc_driver-*.so' -print -quit)
  [ -n "$driver" ] || die "the packages hold no compiler"
  cat >"$rustc" <<EOF
#!/bin/sh
LD_LIBRARY_PATH='${driver%/*}' exec '$usr/bin/rustc' --sysroot '$usr' "\$@"
EOF
  chmod +x "$rustc"
}

# new_package DIR CRATE-TYPE: an empty package that belongs to no workspace, whatever stands above it.
new_package() {
  mkdir -p "$1/src"
  cat >"$1/Cargo.toml" <<EOF
[package]
name = "probe"
version = "0.0.0"
edition = "2024"
[lib]
crate-type = ["$2"]
[profile.release]
lto = true
[workspace]
EOF
}

build_std() {
  local work=$prefix/build target lib libc source flags=()
  rm -rf "$work"
  new_package "$work" rlib
  : >"$work/src/lib.rs"
  source=$(echo "$usr"/src/rustc-*/library)
  mkdir -p "$usr/lib/rustlib/src/rust"
  ln -sfn "$source" "$usr/lib/rustlib/src/rust/library"
  for target in "${targets[@]}"; do
    flags+=(--target "$target")
    lib=$usr/lib/rustlib/$target/lib
    mkdir -p "$lib"
    for libc in "$usr/lib/$target" "$usr/lib/wasm32-wasi"; do
      case $target in *-wasi*) ;; *) continue ;; esac
      if [ -e "$libc/libc.a" ] && [ ! -e "$lib/self-contained" ]; then ln -s "$libc" "$lib/self-contained"; fi
    done
  done

  say "building the standard library for ${targets[*]}"
  (cd "$work" && RUSTC=$rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=$work/target \
    cargo build -q -Zbuild-std=std,panic_abort --release "${flags[@]}" </dev/null >&2)
  for target in "${targets[@]}"; do
    cp "$work/target/$target"/release/deps/*.rlib "$usr/lib/rustlib/$target/lib/"
    rm -f "$usr/lib/rustlib/$target"/lib/libprobe-*.rlib
  done
  rm -rf "$work" "$usr/src" "$usr/lib/rustlib/src" "$usr/share" "$usr/bin/rustdoc"
}

# A library that formats and prints, with a build script, so that both the guest's and the host's side are linked.
check() {
  local work=$prefix/check target header want flags=()
  rm -rf "$work"
  new_package "$work" cdylib
  echo 'fn main() {}' >"$work/build.rs"
  cat >"$work/src/lib.rs" <<'EOF'
use std::collections::BTreeMap;
#[unsafe(no_mangle)]
pub extern "C" fn count(key: u32) -> usize {
    let map = BTreeMap::from([(key, format!("{key}"))]);
    println!("{map:?}");
    map.len()
}
EOF
  for target in "${targets[@]}"; do flags+=(--target "$target"); done
  (cd "$work" && RUSTC=$rustc CARGO_TARGET_DIR=$work/target \
    cargo build -q --offline --release "${flags[@]}" </dev/null >&2) || die "the new compiler cannot build a guest"
  for target in "${targets[@]}"; do
    header=$(head -c 8 "$work/target/$target/release/probe.wasm" | od -An -tx1 | tr -d ' \n')
    # The four bytes after the magic number tell a component from a core module.
    case $target in *-wasip2) want=0061736d0d000100 ;; *) want=0061736d01000000 ;; esac
    [ "$header" = "$want" ] || die "$target: a module begins with $header, not $want"
  done
  rm -rf "$work"
}

if [ "$(cat "$stamp" 2>/dev/null)" = "$recipe" ]; then
  link_linkers
  if "$rustc" -V >/dev/null 2>&1; then
    echo "$rustc"
    exit 0
  fi
  say "the earlier install is broken: doing it again"
fi
for tool in apt-get dpkg-deb tar cc; do command -v "$tool" >/dev/null || die "$tool is not installed"; done
[ -x "$linkers/rust-lld" ] || die "the active toolchain has no rust-lld (one installed by rustup has)"
unpack
write_wrapper
link_linkers
build_std
check
rm -rf "$apt_state"
echo "$recipe" >"$stamp"
echo "$rustc"
