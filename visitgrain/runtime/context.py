"""What a command works with: settings, catalogue, lake, ledger; each built when first asked for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from visitgrain.catalogue.catalogue import Catalogue, load_catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.catalogue.quality import QualityRules, load_quality
from visitgrain.runtime import delta_log
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.machine import with_machine_defaults, with_quiet_jvm
from visitgrain.runtime.planning import Book, Inputs
from visitgrain.runtime.settings import Settings
from visitgrain.runtime.storage import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from visitgrain.runtime.job import Job
    from visitgrain.runtime.lake import Lake


def new_run_id() -> str:
    """Sorts by time and is unique: 20260301T060000Z-1f2e3d4c."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


@dataclass
class Context:
    """One per command. Commands that only plan or report never touch `spark` or `lake`, so no JVM starts for them."""

    settings: Settings
    conf: Path
    run_id: str = field(default_factory=new_run_id)
    attached: bool = False  # the run began before, in another process: what it has done stays done
    debug: bool = False
    trials: int | None = None  # of a hyper-parameter search; None = as the catalogue says
    allowed_rules: frozenset[str] = frozenset()  # full names of quality rules that do not block this run

    @cached_property
    def spark(self) -> SparkSession:
        from visitgrain.runtime.preflight import check_place
        from visitgrain.runtime.session import build_session

        settings = self.settings
        options = with_machine_defaults(settings.spark_options, master=settings.master)
        if not self.debug:
            options = with_quiet_jvm(options, self.conf)
        spark = build_session(master=settings.master, zone=settings.zone, jars=self._jars, options=options)
        check_place(settings.lake, mode=spark.conf.get("spark.submit.deployMode", "client"))
        if not self.debug:
            spark.sparkContext.setLogLevel("OFF")  # failures reach the user as one line, not as Java traces
        return spark

    @cached_property
    def lake(self) -> Lake:
        from visitgrain.runtime.lake import Lake

        Store(self.settings.lake).assert_writable()  # before a JVM starts
        return Lake(self.spark, self.settings.lake, self.settings.zone, lock_wait_s=self.settings.lock_wait_s)

    @cached_property
    def lake_without_spark(self) -> Lake:
        """For work on files, logs and records: starts no JVM."""
        from visitgrain.runtime.lake import CODEC, Lake

        settings = self.settings
        codec = settings.spark_options.get(CODEC, "snappy")
        return Lake(None, settings.lake, settings.zone, lock_wait_s=settings.lock_wait_s, codec=codec)

    @cached_property
    def vault(self) -> Lake | None:
        """Where raw numbers go; None where none are kept."""
        from visitgrain.runtime.vault import open_vault

        return open_vault(self.spark, self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(Store(self.settings.lake))

    @property
    def book(self) -> Book:
        """What ran and what has been touched since, as of now."""
        store = Store(self.settings.lake)
        inputs = Inputs(lambda table: delta_log.files(store, table))
        return Book(self.ledger.entries(), inputs, catalogue_hash=self.catalogue.hash, kept=self.ledger.kept_from())

    @cached_property
    def catalogue(self) -> Catalogue:
        named = self.settings
        return load_catalogue(self.conf, zone=named.zone, visit_rules=named.visit_rules, churn=named.churn)

    @cached_property
    def quality(self) -> QualityRules:
        """Apart from the catalogue: a limit that moves changes no result, so nothing is computed again for it."""
        rules = load_quality(self.conf)
        rules.assert_known(self.allowed_rules)
        return rules

    def tracking(self, job: Job) -> Tracking:
        """What a job that trains or applies models is told beside its rows."""
        versions = {read.table.name: self.lake.version(read.table) for read in job.reads}
        uri, lake = self.settings.mlflow_uri, self.settings.lake
        return Tracking(uri=uri, run_id=self.run_id, lake=lake, versions=versions, trials=self.trials)

    @property
    def _jars(self) -> Path:
        """As set; a relative folder that is not here is looked for beside conf/."""
        folder = Path(self.settings.jars)
        beside = self.conf.parent / folder
        return beside if not folder.exists() and beside.exists() else folder
