"""What is checked before any work; each refusal is one line with its fix. No JVM."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pyspark
import pytest
from packaging.requirements import Requirement

from visitgrain.errors import ConfigError
from visitgrain.runtime import preflight

ROOT = Path(__file__).resolve().parents[3]


def java(folder: Path, version: str) -> str:
    """A home of Java that tells its version in its release file."""
    folder.mkdir()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n', encoding="utf-8")
    return str(folder)


@pytest.fixture
def before_java(monkeypatch):
    """A process in which no JVM runs yet."""
    monkeypatch.setattr(preflight, "SparkContext", SimpleNamespace(_gateway=None))
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21", 21), ("1.8.0_402", 8), ("11.0.2", 11)])
def test_the_version_of_java(tmp_path, version, major):
    assert preflight.java_version(java(tmp_path / "java", version)) == major


def test_java_tells_its_version_where_no_file_does(tmp_path):
    (tmp_path / "bin").mkdir()
    assert preflight.java_version(str(tmp_path)) is None
    program = tmp_path / "bin" / "java"
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    assert preflight.java_version(str(tmp_path)) == 11


def test_an_old_java_is_refused(before_java, monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", java(tmp_path / "new", "17.0.1"))
    preflight.check_driver()  # control
    monkeypatch.setenv("JAVA_HOME", java(tmp_path / "old", "11.0.2"))
    with pytest.raises(ConfigError, match=r'Java 11 .*needs 17 or later: export JAVA_HOME="\$\(scripts') as refused:
        preflight.check_driver()
    assert refused.value.exit_code == 3
    assert "\n" not in str(refused.value)


def test_another_spark_is_refused(monkeypatch):
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")  # spark-submit's JVM runs: its Java is right
    preflight.check_driver()  # control
    monkeypatch.setattr(pyspark, "__version__", "4.1.0")
    with pytest.raises(ConfigError, match=r"pyspark 4\.1\.0 in .*, tested with 4\.2\.0: run `make setup`"):
        preflight.check_driver()


def test_packages_that_setup_does_not_want_are_named():
    met = Requirement(f"pyspark=={pyspark.__version__}")
    assert preflight.wrong_packages([met]) == []
    wanted = [met, Requirement("pandas<1"), Requirement("no-such-package>=2")]
    first, second = preflight.wrong_packages(wanted)
    assert re.fullmatch(r"pandas \S+, wanted <1", first)
    assert second == "no-such-package missing, wanted >=2"


def test_delta_is_asked_for_its_version():
    class Unknown:
        def VERSION(self):
            raise TypeError("'JavaPackage' object is not callable")

    def jvm(package):
        delta = SimpleNamespace()
        vars(delta)["package"] = package
        return SimpleNamespace(io=SimpleNamespace(delta=delta))

    assert preflight.delta_version(jvm(SimpleNamespace(VERSION=lambda: "4.4.0"))) == "4.4.0"
    preflight.check_jvm(SimpleNamespace(_jvm=jvm(SimpleNamespace(VERSION=lambda: "4.4.0"))))  # control
    with pytest.raises(ConfigError, match=r"Delta 4\.0\.0 in the driver, tested with 4\.4\.0: run `make setup`"):
        preflight.check_jvm(SimpleNamespace(_jvm=jvm(SimpleNamespace(VERSION=lambda: "4.0.0"))))
    with pytest.raises(ConfigError, match="Delta missing in the driver"):
        preflight.check_jvm(SimpleNamespace(_jvm=jvm(Unknown())))


def test_what_differs_between_two_pythons():
    here = preflight.facts()
    assert preflight.differences(here, dict(here)) == []
    there = {**here, "Python": "3.9", "pandas": preflight.MISSING}
    assert preflight.differences(here, there) == [
        f"Python 3.9, here {here['Python']}",
        f"pandas missing, here {here['pandas']}",
    ]


def cluster(tell) -> SimpleNamespace:
    """A session whose one executor tells `tell()`."""
    task = SimpleNamespace(collect=tell)
    context = SimpleNamespace(
        master="spark://host:7077",
        defaultParallelism=1,
        parallelize=lambda *_: SimpleNamespace(mapPartitions=lambda _: task),
        setJobGroup=lambda *_: None,
        setLocalProperty=lambda *_: None,
    )
    return SimpleNamespace(sparkContext=context)


def test_an_executor_with_other_packages_is_named():
    there = {**preflight.facts(), "polars": "1.0.0"}
    with pytest.raises(ConfigError, match=r"differ from the driver .*: worker-2: polars 1\.0\.0, here .*: install"):
        preflight.check_executors(cluster(lambda: [("worker-2", there)]))


def test_an_executor_without_this_python_is_one_line():
    def fail():
        raise RuntimeError(
            'Job aborted\nCaused by: IOException: Cannot run program "./environment/bin/python": no file\n\tat'
        )

    with pytest.raises(
        ConfigError, match=r"executors of spark://host:7077: .*Cannot run program .*PYSPARK_PYTHON"
    ) as refused:
        preflight.check_executors(cluster(fail))
    assert "\n" not in str(refused.value)


def test_executors_that_never_come_are_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(preflight, "EXECUTOR_WAIT_S", 0.05)
    import threading

    cancelled = threading.Event()

    def wait():
        assert cancelled.wait(5)
        raise RuntimeError("cancelled")

    session = cluster(wait)
    session.sparkContext.cancelJobGroup = lambda group: cancelled.set()
    with pytest.raises(ConfigError, match=r"none came in 0\.05 s: look for Java 17"):
        preflight.check_executors(session)


def test_a_lake_does_not_vanish_with_the_driver():
    for lake, mode in (("lake", "client"), ("/mnt/lake", "cluster"), ("s3a://b/lake", "cluster")):
        preflight.check_place(lake, mode=mode)
    with pytest.raises(ConfigError, match="lake: lake is relative, and would vanish"):
        preflight.check_place("lake", mode="cluster")


def test_a_local_master_has_no_executors_to_ask():
    preflight.check_executors(SimpleNamespace(sparkContext=SimpleNamespace(master="local[*]")))
    preflight.check_executors(SimpleNamespace(sparkContext=SimpleNamespace(master="local")))


def test_the_versions_are_those_of_setup():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert (f'"pyspark=={preflight.SPARK}"' in setup, f'"delta-spark=={preflight.DELTA}"' in setup) == (True, True)
    assert f"-{preflight.DELTA}.jar" in (ROOT / "jars" / "SHA256SUMS").read_text(encoding="utf-8")
    locked = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    assert [name for name in preflight.COMPARED if f"\n{name}==" not in locked] == []
