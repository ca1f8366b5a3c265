"""Case D7: neither the zone nor the language of the host decides anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.jobs.host_zone import taken_over
from tests.jobs.ingest_world import shop_context


@pytest.fixture(scope="module")
def here(spark, tmp_path_factory):
    """The tables made in this process, and the key of its pseudonyms."""
    folder = tmp_path_factory.mktemp("here")
    return taken_over(shop_context(spark, folder), folder), folder / "secrets"


@pytest.mark.parametrize(
    ("zone", "language", "shown"), [("America/New_York", "C", "EST"), ("UTC", "zh_CN.UTF-8", "UTC")]
)
def test_d07_host_in_another_zone_makes_the_same_tables(here, tmp_path, zone, language, shown):
    expected, secrets = here
    shutil.copytree(secrets, tmp_path / "secrets")
    host = {**os.environ, "TZ": zone, "LANG": language, "LC_ALL": language, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.jobs.host_zone", str(tmp_path)]
    done = subprocess.run(command, env=host, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [shown, expected]
