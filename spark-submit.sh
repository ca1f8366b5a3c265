#!/usr/bin/env bash
# Submits any command of visitgrain to Spark, wherever it runs:  ./spark-submit.sh [options] -- run daily --date 2026-03-01
# Jobs come from build/visitgrain.zip, Delta from jars/; nothing is downloaded. --help lists the options, docs/submit.md tells more.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$root/.venv/bin/python
[ -x "$python" ] || { printf '%s\n' "spark-submit.sh: no .venv; run make setup once" >&2; exit 3; }
exec "$python" "$root/scripts/submit.py" "$@"
