"""Makes build/environment.tar.gz for the nodes of YARN: Python itself and the packages of .venv, runnable anywhere.

A packed virtual environment would only link to a Python that the nodes do not have. This archive holds the interpreter
and its standard library, found relative to `bin/python`. It does not hold the system's libraries: it runs on nodes of
the same architecture with the same distribution or a newer one. Spark's jars stay out: YARN gets them from Spark.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "environment.tar.gz"
VERSION = "python%d.%d" % sys.version_info[:2]  # noqa: UP031
UNWANTED = {"__pycache__", "test", "tests", "idlelib", "turtledemo", "ensurepip", "site-packages", "tkinter"}
NOT_FOR_NODES = {
    "pyspark/jars",
    "pyspark/examples",
    "pyspark/data",
    "mypy",
    "ruff",
    "duckdb",
    "_duckdb",
    "hypothesis",
    "pip",
}
# A Python that was built shared looks for its own library where it was installed first.
START = f"""#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH="$here/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}" exec "$here/bin/{VERSION}" "$@"
""".encode()
# Of the packed tree, in another place: what executors import, from there and nowhere else.
PROOF = """
import sys, ssl, sqlite3, ctypes, lzma, bz2
import numpy, pandas, pyarrow, polars, scipy.stats, sklearn.linear_model, lightgbm, zstandard
print(sys.prefix, pandas.__file__)
"""


def members() -> Iterator[tuple[Path, str]]:
    """(file here, name in the archive)."""
    base, library = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib"))
    yield Path(sys.executable).resolve(), f"bin/{VERSION}"
    for file in sorted((base / "lib").glob("libpython*.so*")):
        yield file, f"lib/{file.name}"
    for file in _files(library, UNWANTED):
        yield file, f"lib/{VERSION}/{file.relative_to(library)}"
    packages = Path(sysconfig.get_path("purelib"))
    for file in _files(packages, {"__pycache__"}):
        name = file.relative_to(packages)
        beginnings = {"/".join(name.parts[:2]), name.parts[0], name.parts[0].split(".")[0]}
        # `-e .` leaves links to the checkout: jobs come with the artefact.
        if not beginnings & NOT_FOR_NODES and not name.parts[0].startswith(("__editable__", "visitgrain")):
            yield file, f"lib/{VERSION}/site-packages/{name}"


def _files(folder: Path, unwanted: set[str]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - unwanted)
        yield from (Path(place, name) for name in sorted(names))


def pack(target: Path = TARGET) -> Path:
    """Writes the archive and returns its path; readers never see a half-written one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with gzip.open(part, "wb", compresslevel=1) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for file, name in members():
            archive.add(file, name, recursive=False)
        start = tarfile.TarInfo("bin/python")
        start.size, start.mode = len(START), 0o755
        archive.addfile(start, io.BytesIO(START))
    return part.replace(target)


def prove(archive: Path) -> None:
    """Unpacks it elsewhere and imports what executors import. Raises SystemExit where that fails."""
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="tar")
        command = [f"{scratch}/bin/python", "-c", PROOF]
        done = subprocess.run(command, env={}, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode or not done.stdout.startswith(scratch):
            raise SystemExit(f"{done.stderr}{done.stdout}\npack: {archive} does not run outside of this environment")


def main() -> None:
    print("pack: Python and packages for the nodes (a minute)")
    archive = pack()
    prove(archive)
    size = archive.stat().st_size // 1024**2
    print(f"pack: {archive.relative_to(ROOT)}, {size} MiB; it runs outside of this environment")


if __name__ == "__main__":
    main()
