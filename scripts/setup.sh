#!/usr/bin/env bash
# Makes a bare checkout ready: .venv, the locked packages, Java 17+, Delta's jars. Silent and offline when nothing changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "setup: $*"; }
stop() { printf '%s\n' "setup: $*" >&2; exit 3; }
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_install() {
  say "installing $* with apt-get"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null </dev/null
}

find_python() {
  local name
  for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$name" ] && command -v "$name" >/dev/null || continue
    "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { command -v "$name"; return; }
  done
  return 1
}

create_venv() {
  local python
  python=$(find_python) || stop "Python 3.11 to 3.13 not found; install python3.11 (Debian: apt-get install python3 python3-venv; macOS: brew install python@3.11) or name one: PYTHON=/path/to/python make setup"
  say "creating .venv with $("$python" -V)"
  "$python" -m venv .venv >/dev/null 2>&1 && return
  # Debian and Ubuntu split ensurepip off into a package of its own.
  local package
  package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  may_install || stop "$python cannot create a virtual environment; install $package and try again"
  apt_install "$package" && rm -rf .venv && "$python" -m venv .venv
}

install_packages() {
  local stamp=.venv/.installed wanted
  # The lock, what is asked for, and the place: an editable install does not survive a move.
  wanted=$(cat setup.py pyproject.toml constraints.txt <(pwd) | .venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  say "installing the locked packages into .venv (once; about 2 minutes)"
  # --no-compile: Python compiles the few modules that are used at first import; compiling all of them takes longer than installing.
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-compile -c constraints.txt -e '.[dev]' </dev/null
  printf '%s\n' "$wanted" >"$stamp"
}

check_java() {
  scripts/java_home.sh >/dev/null 2>&1 && return
  local hint="Java 17 or later not found; install it (Debian/Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17) or set JAVA_HOME"
  may_install || stop "$hint"
  # Releases after Debian 12 ship a later Java only.
  apt_install openjdk-17-jre-headless 2>/dev/null || apt_install default-jre-headless || stop "$hint"
  scripts/java_home.sh >/dev/null || stop "$hint"
}

[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; create_venv; }
install_packages
check_java
JAVA_HOME=$(scripts/java_home.sh) .venv/bin/python scripts/fetch_jars.py
