# Shared by quickstart and check: installing packages, configuring the build, messages.
# shellcheck shell=bash disable=SC2034  # the package lists are for the scripts that source this

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

# A clone's tools must be built and measured as the machine is, not as a caller's shell says:
# a forced OpenBLAS core costs a factor of 2 to 3.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
# Where ccache is installed: it caches what uses a precompiled header only if told so.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}

build_packages=(
  g++ libcairo2-dev libcli11-dev libcurl4-openssl-dev libfmt-dev libfontconfig-dev libhdf5-dev
  libhwy-dev libopenblas-dev libssl-dev libtomlplusplus-dev meson ninja-build nlohmann-json3-dev
  pkg-config python3-venv zlib1g-dev
)
# What other systems are asked for: commands, and modules of pkg-config.
build_commands=(g++ meson ninja pkg-config python3)
build_modules=(
  CLI11 cairo fmt fontconfig hdf5 libcrypto libcurl libhwy nlohmann_json openblas tomlplusplus zlib
)

say() { printf '== %s\n' "$*"; }

die() {
  printf '%s: error: %s\n' "$(basename "$0")" "$1" >&2
  shift
  if (($#)); then printf 'hint: %s\n' "$@" >&2; fi
  exit 1
}

# Prints those of the given Debian packages that are not installed.
missing_packages() {
  local package status
  for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || true
    [[ $status == installed ]] || printf '%s\n' "$package"
  done
}

# Prints what a system without apt-get lacks.
missing_elsewhere() {
  local name
  for name in "${build_commands[@]}"; do
    command -v "$name" >/dev/null || printf 'command %s\n' "$name"
  done
  command -v pkg-config >/dev/null || return 0
  for name in "${build_modules[@]}"; do
    pkg-config --exists "$name" || printf 'library %s (pkg-config)\n' "$name"
  done
}

# Installs the given Debian packages where they are missing. Needs no network where none is.
install_packages() {
  local missing
  if ! command -v apt-get >/dev/null; then
    mapfile -t missing < <(missing_elsewhere)
    ((${#missing[@]} == 0)) && return
    printf '  missing: %s\n' "${missing[@]}" >&2
    die 'this system has no apt-get; install what is missing with its own package manager' \
      'on Debian these are: '"$*"
  fi

  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return
  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
      die 'packages are missing, and this is neither root nor sudo' \
        "run: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    fi
    as_root=(sudo)
  fi
  say "Installing packages: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  "${apt[@]}" update || die 'apt-get update failed' 'without a network: --no-install'
  "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

# configure FOLDER OPTIONS...: sets a build folder up with these meson options, or changes them in
# one that exists; objects whose flags stay the same are not compiled again.
configure() {
  local folder=$1 command=(meson setup) output
  shift
  [[ -f $folder/build.ninja ]] && command=(meson configure)
  say "Configuring $folder"
  output=$("${command[@]}" "$folder" "$@" 2>&1) || {
    printf '%s\n' "$output" >&2
    die "meson could not configure $folder"
  }
}
