"""One lake into which every dirty feed went once, for all cases that only look."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest
from pyspark.sql import Row

from tests.cases.bad_files import write_cases
from tests.cases.dirty_feeds import FEEDS
from tests.cases.labelled import Labelled, write_labelled
from visitgrain.runtime.context import Context
from visitgrain.sources.result import IngestResult


def feed_context(spark, folder, **mappings: str) -> Context:
    """A context with the mappings of the dirty feeds (or `mappings` instead) beside the shipped configuration."""
    from tests.jobs.runtime_world import context
    from visitgrain.runtime.settings import default_conf

    conf = folder / "conf"
    if not conf.exists():
        shutil.copytree(default_conf(), conf)
    for name, mapping in {**FEEDS, **mappings}.items():
        (conf / "sources" / f"{name}.yaml").write_text(mapping)
    made = context(spark, folder / "lake", pseudonym_secret_file=folder / "key")
    made.conf = conf
    return made


@dataclass(frozen=True)
class DirtyWorld:
    """What the feeds became: events by id, refused rows by feed, results by feed, the label of each labelled row."""

    context: Context
    results: dict[str, IngestResult]
    events: dict[str, Row]
    refused: dict[str, list[Row]]
    labels: dict[str, Labelled]

    def reasons(self, feed: str, file: str) -> list[tuple[int, str]]:
        """(position, reason) of the refused rows of a file."""
        return sorted((row.position, row.reason) for row in self.refused[feed] if row.file == file)

    def ids(self, prefix: str) -> list[str]:
        """Ids of the events that begin like this."""
        return sorted(id_ for id_ in self.events if id_.startswith(prefix))


@pytest.fixture(scope="session")
def dirty(spark, tmp_path_factory) -> DirtyWorld:
    from jobs.ingest_source import ingest
    from visitgrain.tables.inputs import EVENTS
    from visitgrain.tables.runs import QUARANTINED_EVENTS

    folder = tmp_path_factory.mktemp("dirty")
    labels = write_labelled(folder / "in")
    write_cases(folder / "in")
    made = feed_context(spark, folder)
    results = {name: ingest(made, source=name, path=folder / "in" / name) for name in FEEDS}
    refused: dict[str, list[Row]] = {name: [] for name in results}
    for row in made.lake.read(QUARANTINED_EVENTS).collect():
        refused[row.source].append(row)
    return DirtyWorld(made, results, {row.event_id: row for row in made.lake.read(EVENTS).collect()}, refused, labels)
