#!/usr/bin/env bash
# Submits any command of visitgrain to Spark:  ./spark-submit.sh [options] -- run daily --date 2026-03-01
# The driver runs here (client mode) with .venv; jobs come from build/visitgrain.zip, Delta from jars/. Nothing is downloaded.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./spark-submit.sh [--master M] [--env NAME] [--load-spark-defaults FILE] [--dry-run] [spark-submit options] -- COMMAND …

  --master M                  local[*] (default) or spark://host:port
  --env NAME                  settings file of visitgrain: conf/NAME.yaml (default: local; cluster with a spark:// master)
  --load-spark-defaults FILE  Spark properties to read beside spark-defaults.conf
  --dry-run                   print the command and stop
  anything else before --     goes to spark-submit, e.g. --driver-memory 4g --conf spark.executor.cores=2
  COMMAND …                   what `visitgrain` takes, e.g. run daily --date 2026-03-01

The exit code is the command's: 0 ok, 2 usage, 3 configuration, 4 input missing, 5 gate, 6 job failed, 7 locked.
TEXT
}
refuse() { printf '%s\n' "spark-submit.sh: $*" >&2; exit 2; }
value_of() { [ $# -ge 2 ] && [ "$2" != -- ] || refuse "$1 needs a value"; printf '%s' "$2"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
master='local[*]' environment='' dry_run='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=yes; shift ;;
    --master) master=$(value_of "$@"); shift 2 ;;
    --env) environment=$(value_of "$@"); shift 2 ;;
    --load-spark-defaults) options+=(--properties-file "$(value_of "$@")" --load-spark-defaults); shift 2 ;;
    --deploy-mode | --deploy-mode=*)
      [ "${1#*=}" = client ] || [ "${2:-}" = client ] ||
        refuse "--deploy-mode cluster: Spark standalone runs no Python driver on a worker; submit from a machine that stays up"
      [ "$1" = --deploy-mode ] && shift
      shift ;;
    *) options+=("$1"); shift ;;
  esac
done
[ $# -gt 0 ] || { usage >&2; refuse "no command after --"; }
case $master in
  local | local\[*\]) ;;
  spark://*) : "${environment:=cluster}" ;;
  *) refuse "--master $master: use local[N], local[*] or spark://host:port" ;;
esac

python=$root/.venv/bin/python
[ -x "$python" ] || { printf '%s\n' "spark-submit.sh: no .venv; run make setup once" >&2; exit 3; }
artefact=$root/build/visitgrain.zip
sources=(setup.py visitgrain jobs pipelines conf)
newer() { (cd "$root" && find "${sources[@]}" -name __pycache__ -prune -o -newer "$artefact" -print -quit); }
[ -f "$artefact" ] && [ -z "$(newer)" ] || "$python" "$root/scripts/build_artefact.py" >&2

jars=("$root"/jars/*.jar)
[ -f "${jars[0]}" ] || { printf '%s\n' "spark-submit.sh: no Delta jars in jars/; run make setup once" >&2; exit 3; }
JAVA_HOME=$("$root/scripts/java_home.sh") || { printf '%s\n' "spark-submit.sh: Java 17+ not found; run make setup" >&2; exit 3; }
# Driver and workers run the project's Python: the default would be whatever `python3` each machine finds first.
export JAVA_HOME PYSPARK_PYTHON=${PYSPARK_PYTHON:-$python} PYSPARK_DRIVER_PYTHON=$python
unset SPARK_HOME # the pinned Spark of .venv, whatever else is installed

command=("$root/.venv/bin/spark-submit" --master "$master" --deploy-mode client --name visitgrain
  --jars "$(IFS=,; printf '%s' "${jars[*]}")" --py-files "$artefact"
  --conf spark.ui.showConsoleProgress=false --conf spark.log.level=WARN "${options[@]+"${options[@]}"}"
  "$root/scripts/submit_main.py" ${environment:+--env "$environment"} --set master=null "$@") # null: as spark-submit says
[ -z "$dry_run" ] || { printf '%q ' "${command[@]}"; printf '\n'; exit 0; }
exec "${command[@]}"
