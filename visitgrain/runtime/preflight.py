"""Before any work: are Java, Spark, Delta and the Python packages the tested ones, here and on executors?

Each refusal is one line with its fix. What costs something, one small task per core, is asked on clusters only.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pyspark
from packaging.requirements import Requirement
from pyspark import SparkContext
from pyspark.sql import SparkSession, functions as F

from visitgrain.errors import ConfigError

# Of setup.py, for where only the artefact is: a test holds them equal.
SPARK, DELTA, JAVA = "4.2.0", "4.4.0", 17
# What computes inside of executors: other versions there could give other numbers, or none.
COMPARED = ("numpy", "pandas", "pyarrow", "polars", "scipy", "scikit-learn", "lightgbm", "xgboost-cpu", "zstandard")
EXECUTOR_WAIT_S = 600  # a queue may be long; executors that cannot start, for their Java or their memory, never come
MISSING = "missing"
MOST_TOLD = 5
SET_UP = "run `make setup`, which installs what constraints.txt says"


def check_driver() -> None:
    """Java, unless a JVM runs already, and the packages of this Python. Raises ConfigError."""
    if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        found = java_version(os.environ.get("JAVA_HOME"))
        if found is None or found < JAVA:
            home = os.environ.get("JAVA_HOME", "")
            raise ConfigError(
                f"Java {found or 'not found'} (JAVA_HOME={home}), Spark {SPARK} needs {JAVA} or later: "
                'export JAVA_HOME="$(scripts/java_home.sh)"'
            )
    if pyspark.__version__ != SPARK:
        raise ConfigError(f"pyspark {pyspark.__version__} in {sys.prefix}, tested with {SPARK}: {SET_UP}")
    if wrong := wrong_packages(_requirements()):
        raise ConfigError(f"Python of {sys.prefix}: {_listed(wrong)}: {SET_UP}")


def check_place(lake: str, *, mode: str | None) -> None:
    """A driver in the cluster works in a folder that vanishes with it: the lake is elsewhere. Raises ConfigError."""
    if mode == "cluster" and "://" not in lake and not Path(lake).is_absolute():
        raise ConfigError(
            f"lake: {lake} is relative, and would vanish with the driver's container: name a folder that driver and "
            "executors mount, or s3a://… (conf/cluster.yaml, or --lake)"
        )


def check_jvm(spark: SparkSession) -> None:
    """Delta as it runs in the driver. Raises ConfigError."""
    assert spark._jvm is not None
    found = delta_version(spark._jvm)
    if found != DELTA:
        raise ConfigError(
            f"Delta {found} in the driver, tested with {DELTA}: run `make setup` (it fetches the jars) and submit with "
            "./spark-submit.sh, without other Delta packages"
        )


def check_executors(spark: SparkSession) -> None:
    """On a cluster, a task per core: Python, packages and Delta are those of the driver. Raises ConfigError."""
    context = spark.sparkContext
    if re.match(r"local(\[|$)", str(context.master)):
        return
    tasks = max(context.defaultParallelism, 1)
    here = facts()
    found = _asked(context, tasks)
    wrong = {f"{host}: {difference}" for host, there in found for difference in differences(here, there)}
    if wrong:
        raise ConfigError(
            f"executors differ from the driver ({platform.node()}, {sys.executable}): {_listed(sorted(wrong))}: "
            "install the packages of constraints.txt there, or name their Python: docs/submit.md"
        )
    # The class of the package object tells the version; each task looks into its own executor.
    version = F.expr("java_method('io.delta.package', 'VERSION')")
    try:
        deltas = {row[0] for row in spark.range(0, tasks, 1, tasks).select(version.alias("delta")).distinct().collect()}
    except Exception as error:
        raise ConfigError(
            f"executors without Delta's jars: {_first_line(error)}: submit with ./spark-submit.sh"
        ) from error
    if deltas != {DELTA}:
        raise ConfigError(
            f"executors have Delta {', '.join(map(str, deltas))}, tested with {DELTA}: remove it from them"
        )


def java_version(home: str | None) -> int | None:
    """Major version of the Java in `home`, or of the one on the PATH; None where there is none."""
    release = Path(home, "release") if home else None
    if release is not None and release.is_file():
        text = release.read_text(encoding="utf-8")
    else:
        java = str(Path(home, "bin", "java")) if home else "java"
        try:
            text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        except OSError:
            return None
    # JAVA_VERSION="17.0.15" or openjdk version "17.0.15"; Java 8 calls itself 1.8
    found = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(found.group(1)) if found else None


def delta_version(jvm: Any) -> str:
    """Of the jars that the driver has loaded; 'missing' without them."""
    try:
        return str(jvm.io.delta.package.VERSION())
    except TypeError:  # not a class but an unknown name
        return MISSING


def facts() -> dict[str, str]:
    """What decides whether two Pythons compute alike; the same code runs in the driver and in executors."""
    found = {
        "Python": platform.python_version().rpartition(".")[0],
        "machine": platform.machine(),
        "pyspark": pyspark.__version__,
    }
    return {**found, **{name: installed(name) for name in COMPARED}}


def installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return MISSING


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    return [
        f"{name} {there.get(name, MISSING)}, here {value}" for name, value in here.items() if there.get(name) != value
    ]


def wrong_packages(requirements: Iterable[Requirement]) -> list[str]:
    """One line per requirement that this Python does not meet."""
    found = [(wanted, installed(wanted.name)) for wanted in requirements if not wanted.marker]
    return [
        f"{wanted.name} {version}, wanted {wanted.specifier or 'any'}"
        for wanted, version in found
        if version == MISSING or not wanted.specifier.contains(version, prereleases=True)
    ]


def _requirements() -> list[Requirement]:
    """Of setup.py, as installed; none where only the artefact is."""
    try:
        return [Requirement(line) for line in metadata.requires("visitgrain") or []]
    except metadata.PackageNotFoundError:
        return []


def _asked(context: SparkContext, tasks: int) -> list[tuple[str, dict[str, str]]]:
    """(host, facts) of a task per core. Raises ConfigError when no executor came, or no Python started on one."""
    group = "visitgrain-preflight"
    late = threading.Event()

    def give_up() -> None:
        late.set()
        context.cancelJobGroup(group)

    timer = threading.Timer(EXECUTOR_WAIT_S, give_up)
    timer.daemon = True
    timer.start()
    try:
        context.setJobGroup(group, "Python and packages of executors")
        return context.parallelize(range(tasks), tasks).mapPartitions(_told).collect()
    except Exception as error:
        reason = f"none came in {EXECUTOR_WAIT_S} s" if late.is_set() else _first_line(error)
        raise ConfigError(
            f"executors of {context.master}: {reason}: look for Java {JAVA}+, free memory and cores there, and for the "
            "Python that PYSPARK_PYTHON names"
        ) from error
    finally:
        timer.cancel()
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]
        context.setLocalProperty("spark.job.description", None)  # type: ignore[arg-type]


def _told(_: Iterable[int]) -> list[tuple[str, dict[str, str]]]:
    return [(platform.node(), facts())]


def _first_line(error: Exception) -> str:
    """The line of a Spark failure that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = r"PYTHON_VERSION_MISMATCH|Cannot run program|No module named|ClassNotFound|NoClassDef|cannot find"
    return next((line for line in lines if re.search(telling, line)), lines[0] if lines else type(error).__name__)[:300]


def _listed(problems: list[str]) -> str:
    more = f" and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
    return "; ".join(problems[:MOST_TOLD]) + more
