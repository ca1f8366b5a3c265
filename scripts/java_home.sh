#!/usr/bin/env bash
# Prints the home of the first Java 17 or later; exit code 1 when there is none.
set -uo pipefail

major() { "$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p;' | head -n 1; }

candidates() {
  [ -n "${JAVA_HOME:-}" ] && printf '%s\n' "$JAVA_HOME"
  # A link such as /usr/bin/java leads to the home; macOS' stub of that name leads nowhere and fails the version check.
  local java
  java=$(command -v java) && java=$(readlink -f "$java" 2>/dev/null) && printf '%s\n' "${java%/bin/java}"
  [ -x /usr/libexec/java_home ] && /usr/libexec/java_home -v 17+ 2>/dev/null
  printf '%s\n' /opt/homebrew/opt/openjdk@17 /usr/local/opt/openjdk@17 /opt/homebrew/opt/openjdk /usr/local/opt/openjdk \
    /usr/lib/jvm/*
}

while IFS= read -r home; do
  [ -x "$home/bin/java" ] || continue
  found=$(major "$home")
  [ -n "$found" ] && [ "$found" -ge 17 ] && { printf '%s\n' "$home"; exit 0; }
done < <(candidates)
exit 1
