"""The one place where a SparkSession is built."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from visitgrain.errors import ConfigError
from visitgrain.runtime import preflight

# Always on: what keeps answers right and tables readable by every engine. `assert_safe` refuses a session without them.
SAFE = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.runSQLOnFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    "spark.speculation": "false",
    # A retried task that gives other rows than before makes its whole stage run again, instead of a wrong answer.
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "true",
    "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch": "true",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|hmac|salt|credential|private",
    "spark.databricks.delta.commit.idempotencyCheck.enabled": "true",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Files of a table are known from its log: asking for their sizes needs no Spark job up to here.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "256",
    # A Python worker owns one core: Polars and Arrow must not start a thread per core in each.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    # Looking up the line of Python that made each column takes longer than making it; wide tables have thousands.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # Measures and metrics are wider than the 100 columns up to which whole stages are compiled.
    "spark.sql.codegen.maxFields": "2000",
    # HotSpot never compiles methods longer than this; Spark runs the operators of such a stage one by one instead.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Rows of a subscriber lie together already: a join on subscriber and window needs no second shuffle.
    "spark.sql.requireAllClusterKeysForCoPartition": "false",
    # INT96, the default, loses the zone in other readers.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


ZONE = "spark.sql.session.timeZone"
REDACTION = "spark.redaction.regex"
# Names of settings whose values Spark must not show.
SECRETS = (
    "spark.hadoop.fs.s3a.access.key",
    "spark.hadoop.fs.s3a.secret.key",
    "spark.authenticate.secret",
    "pseudonym.hmac.key",
    "pseudonym.salt",
    "database.password",
    "api.token",
    "store.credential",
    "tls.private.pem",
)


def vendored_jars(folder: Path) -> list[Path]:
    """Delta's jars fetched by `make setup`. Raises ConfigError when there are none."""
    jars = sorted(folder.glob("*.jar"))
    if not any(jar.name.startswith("io.delta_delta-spark_") for jar in jars):
        raise ConfigError(f"{folder}: no Delta jars; run `make setup` once (it fetches them), then all works offline")
    return jars


def build_session(*, master: str | None, zone: str, jars: Path, options: Mapping[str, str]) -> SparkSession:
    """A session with the safe settings, `options` on top of them, and Delta from the vendored jars.

    `master` None leaves the choice to spark-submit. Workers run the Python of this process. Raises ConfigError, also
    where driver or executors are not what the suite is tested with.
    """
    preflight.check_driver()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("visitgrain")
    if master:
        builder = builder.master(master)
        builder = builder.config("spark.jars", ",".join(str(jar) for jar in vendored_jars(jars)))
    needed = {**SAFE, ZONE: zone}
    settings = {**options, **needed}
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    assert_safe(lambda name: spark.conf.get(name, None), needed)
    spark.sparkContext.setLogLevel("ERROR")
    preflight.check_jvm(spark)
    preflight.check_executors(spark)
    return spark


def assert_safe(found: Callable[[str], str | None], needed: Mapping[str, str]) -> None:
    """Raises ConfigError naming every setting that does not hold: a session that was there before keeps its own."""
    problems = [
        f"{name} is {value or 'not set'}, needed is {wanted}"
        for name, wanted in needed.items()
        if (value := found(name)) != wanted
    ]
    hides = re.compile(found(REDACTION) or "(?!)")
    if shown := [name for name in SECRETS if not hides.search(name)]:
        problems.append(f"{REDACTION} would show the values of {', '.join(shown)}")
    if problems:
        raise ConfigError(
            f"the Spark session is not safe to compute with: {'; '.join(problems)}. Another session of this process, "
            "or spark-defaults.conf, decided first: stop it, or remove these settings there"
        )
