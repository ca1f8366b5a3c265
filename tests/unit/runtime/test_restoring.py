"""Back to an earlier version of a table: of a whole log, and of a damaged one. No Spark."""

from __future__ import annotations

import pytest

from tests.jobs.runtime_world import CALLS, DAY
from visitgrain.errors import GateRefused, UsageError
from visitgrain.runtime import delta_log
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.restoring import restore


def call(number: int) -> dict:
    return {"call_id": number, "day": DAY, "seconds": number, "number": "n", "labels": None}


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Version n holds calls 1 to n."""
    made = Lake(None, str(tmp_path / "lake"), "Asia/Shanghai", lock_wait_s=0)
    for number in (1, 2, 3):
        made.append(CALLS, [call(number)], run_id="feed")
    return made


def numbers(lake: Lake) -> list[int]:
    """As a process reads them that did not write them."""
    fresh = Lake(None, lake.store.root, "Asia/Shanghai", lock_wait_s=0)
    rows = [lake.store.read_parquet(f"{CALLS.name}/{file.path}", ["call_id"]) for file in fresh.data_files(CALLS)]
    return sorted(number for table in rows for number in table["call_id"].to_pylist())


def commit_file(lake: Lake, version: int):
    return lake.store.local_path(CALLS.name, "_delta_log", f"{version:020}.json")


def test_of_a_whole_log_it_is_a_new_version_and_can_be_taken_back(lake):
    found = restore(lake, CALLS, 1, run_id="r")
    assert (found.version, found.rows, found.set_aside, numbers(lake)) == (4, 1, None, [1])
    assert restore(lake, CALLS, 3, run_id="r").rows == 3
    assert numbers(lake) == [1, 2, 3]
    lake.append(CALLS, [call(4)], run_id="feed")
    assert numbers(lake) == [1, 2, 3, 4]


@pytest.mark.parametrize("share", [0, 0.5])
def test_commits_after_it_are_set_aside_where_they_are_damaged(lake, share):
    """Empty, or cut in half: nothing can be read, then version 2 can, and the next write is version 3 again."""
    text = commit_file(lake, 3).read_text()
    commit_file(lake, 3).write_text(text[: int(len(text) * share)])
    told = r"test_calls: (empty commit file 0+3\.json|the log does not tell version 3)"
    with pytest.raises(GateRefused, match=told):  # the fault is there
        numbers(lake)
    found = restore(lake, CALLS, 2, run_id="r")
    assert (found.version, found.rows, numbers(lake)) == (2, 2, [1, 2])
    assert [path.name for path in lake.store.local_path(found.set_aside).iterdir()] == [commit_file(lake, 3).name]
    assert lake.append(CALLS, [call(4)], run_id="feed").version == 3
    assert numbers(lake) == [1, 2, 4]


def test_a_lost_newest_commit_is_taken_for_lost(lake):
    commit_file(lake, 3).unlink()
    with pytest.raises(GateRefused, match="acknowledged as version 3, the newest found is 2"):
        numbers(lake)
    assert restore(lake, CALLS, 2, run_id="r").set_aside is None
    assert numbers(lake) == [1, 2]


def test_a_version_that_cannot_be_had_is_refused_and_nothing_changes(lake):
    before = sorted(path.name for path in commit_file(lake, 0).parent.iterdir())
    with pytest.raises(UsageError, match="no version 9; there are 0 to 3"):
        restore(lake, CALLS, 9, run_id="r")
    [first] = delta_log.snapshot(lake.store, CALLS, 1).files
    lake.store.remove_file(f"{CALLS.name}/{first.path}")
    with pytest.raises(GateRefused, match=r"version 2 needs .*, which is gone or damaged"):
        restore(lake, CALLS, 2, run_id="r")
    assert sorted(path.name for path in commit_file(lake, 0).parent.iterdir()) == before


def test_a_version_behind_an_empty_commit_is_refused(lake):
    """Delta would read version 2 without the rows of version 1, and say nothing."""
    commit_file(lake, 1).write_text("")
    with pytest.raises(GateRefused, match="version 2 is read from version 1, which is empty"):
        restore(lake, CALLS, 2, run_id="r")
    assert restore(lake, CALLS, 0, run_id="r").rows == 0
    assert numbers(lake) == []
