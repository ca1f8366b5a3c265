"""Where a lake can be, is found out before anything starts."""

from __future__ import annotations

import os
from contextlib import nullcontext
from unittest.mock import Mock

import pytest
from pyarrow.fs import FileType

from visitgrain.errors import ConfigError
from visitgrain.runtime import storage
from visitgrain.runtime.storage import Store


def test_a_lake_may_be_in_a_folder_that_is_not_there_yet(tmp_path):
    Store(str(tmp_path / "new" / "lake")).assert_writable()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["file", "file/lake"])
def test_a_file_is_no_lake(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"lake .*: .*/file is not a folder; set lake"):
        Store(str(tmp_path / name)).assert_writable()


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere but on a read-only disk
    with pytest.raises(ConfigError, match=r"lake .*cannot be written to \(read-only, or of another user\)"):
        Store(str(tmp_path / "lake")).assert_writable()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (OSError("could not connect"), "could not connect; check the server's address, region and credentials"),
        (FileType.NotFound, "there is no bucket lakes; make it"),
        (OSError("AWS Error ACCESS_DENIED during HeadBucket operation"), None),
        (FileType.Directory, None),
    ],
    ids=["unreachable", "not there", "not for us to see", "there"],
)
def test_a_bucket_is_asked_for_before_any_work(monkeypatch, answer, message):
    found = answer if isinstance(answer, OSError) else Mock(type=answer)
    asked = Mock(type_name="s3", get_file_info=Mock(side_effect=[found]))
    monkeypatch.setattr(storage, "filesystem", lambda root: (asked, "lakes/lake"))
    with pytest.raises(ConfigError, match=message) if message else nullcontext():
        Store("s3a://lakes/lake").assert_writable()
    asked.get_file_info.assert_called_once_with("lakes")
