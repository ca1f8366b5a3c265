"""The command line of spark-submit.sh."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

USAGE_CODE, CONFIGURATION_CODE = 2, 3
USAGE = """\
usage: ./spark-submit.sh [options] [options of spark-submit] -- COMMAND …

  --master M                  local[*] (default), spark://host:port, yarn, or k8s://https://host:port
  --deploy-mode MODE          client (default: the driver runs here) or cluster (YARN and Kubernetes only)
  --env NAME                  settings file of visitgrain: conf/NAME.yaml (default: local; cluster where M is a cluster)
  --load-spark-defaults FILE  Spark properties instead of conf/targets/TARGET.conf; spark-defaults.conf is read as well
  --dry-run                   print the command and stop
  anything else before --     goes to spark-submit, e.g. --driver-memory 4g --conf spark.executor.cores=2
  COMMAND …                   what `visitgrain` takes, e.g. run daily --date 2026-03-01

The exit code is the command's, in every mode: 0 ok, 2 usage, 3 configuration, 4 input missing, 5 gate, 6 job failed,
7 locked. Secrets go into a file (docs/submit.md), never on this line."""
_MASTERS = {
    "local": r"local(\[(\*|\d+)(,\d+)?\])?",
    "standalone": r"spark://\S+",
    "yarn": r"yarn",
    "kubernetes": r"k8s://\S+",
}
_OWN = ("--master", "--deploy-mode", "--env", "--load-spark-defaults", "--jars", "--py-files")


class Refused(Exception):
    """Nothing was submitted; `code` is what the process returns."""

    def __init__(self, message: str, code: int = USAGE_CODE) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Request:
    """What the caller asked for. `options` go to spark-submit as they are."""

    master: str
    target: str
    mode: str
    environment: str
    properties: Path | None
    dry_run: bool
    jars: list[str]
    py_files: list[str]
    options: list[str]
    command: list[str]
    in_file: dict[str, str] = field(default_factory=dict)

    @property
    def in_cluster(self) -> bool:
        """Does the driver run on a machine of the cluster?"""
        return self.mode == "cluster"

    def value(self, name: str) -> str | None:
        """A Spark property as the caller set it, by option or by file."""
        for word in reversed(self.options):
            if word.removeprefix("--conf=").startswith(f"{name}="):
                return word.partition(f"{name}=")[2]
        if name == "spark.archives" and any(word.startswith("--archives") for word in self.options):
            return "given"
        return self.in_file.get(name)

    def sets(self, name: str) -> bool:
        return self.value(name) is not None


def parse(arguments: Sequence[str], root: Path) -> Request:
    """Raises Refused; SystemExit after --help."""
    if "-h" in _before_command(arguments) or "--help" in _before_command(arguments):
        print(USAGE)
        raise SystemExit(0)
    own, options = _split(_before_command(arguments))
    command = list(arguments[len(_before_command(arguments)) + 1 :])
    if not command:
        raise Refused(f"no command after --\n{USAGE}")
    master = own.get("--master", ["local[*]"])[-1]
    target = next((name for name, form in _MASTERS.items() if re.fullmatch(form, master)), None)
    if target is None:
        raise Refused(f"--master {master}: use local[N], local[*], spark://host:port, yarn or k8s://https://host:port")
    properties = _properties(own, options, root / "conf" / "targets" / f"{target}.conf")
    return Request(
        master=master,
        target=target,
        mode=_mode(own.get("--deploy-mode", ["client"])[-1], target),
        environment=own.get("--env", ["" if target == "local" else "cluster"])[-1],
        properties=properties,
        dry_run="--dry-run" in options,
        jars=own.get("--jars", []),
        py_files=own.get("--py-files", []),
        options=[option for option in options if option != "--dry-run"],
        command=command,
        in_file=read_properties(properties) if properties else {},
    )


def _before_command(arguments: Sequence[str]) -> list[str]:
    return list(arguments[: arguments.index("--")]) if "--" in arguments else list(arguments)


def _split(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """This script's own options by name, and the rest."""
    own: dict[str, list[str]] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if name not in _OWN:
            rest.append(word)
            continue
        if not equals:
            value = next(left, "")
        if not value:
            raise Refused(f"{name} needs a value")
        own.setdefault(name, []).append(value)
    return own, rest


def _mode(mode: str, target: str) -> str:
    if mode not in ("client", "cluster"):
        raise Refused(f"--deploy-mode {mode}: use client or cluster")
    if mode == "cluster" and target in ("local", "standalone"):
        raise Refused(
            "--deploy-mode cluster: Spark standalone runs no Python driver on a worker, and local has no workers; "
            "submit in client mode from a machine that stays up"
        )
    return mode


def _properties(own: dict[str, list[str]], options: list[str], of_target: Path) -> Path | None:
    """The one properties file that Spark takes; None with spark-submit's own option, or where none is there."""
    if named := own.get("--load-spark-defaults"):
        file = Path(named[-1])
        if not file.is_file():
            raise Refused(f"--load-spark-defaults {file}: no such file", CONFIGURATION_CODE)
        return file
    given = any(option.startswith("--properties-file") for option in options)
    return of_target if of_target.is_file() and not given else None


def read_properties(file: Path) -> dict[str, str]:
    """A file of Spark properties: name, then blanks, `=` or `:`, then the value; # begins a comment line."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (re.split(r"\s*[=:\s]\s*", line, maxsplit=1) for line in lines if line and line[0] not in "#!")
    return {name: "".join(value) for name, *value in pairs}
