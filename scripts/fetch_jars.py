"""Fetches Delta's jars into jars/ once and checks them against jars/SHA256SUMS, the committed list of what is trusted.

Spark's own resolver does the download (`spark-submit --packages`), so mirrors and proxies configured for Spark apply.
`--relock` writes SHA256SUMS anew after a change of the coordinate.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

COORDINATE = "io.delta:delta-spark_4.2_2.13:4.4.0"
NEEDED = ("io.delta_", "io.unitycatalog_")  # what else the resolver brings is part of Spark already
JARS = Path(__file__).resolve().parent.parent / "jars"
SUMS = JARS / "SHA256SUMS"


def wanted() -> dict[str, str]:
    """File name -> SHA-256 of every jar that must be there."""
    lines = SUMS.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line)}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def problems(folder: Path) -> list[str]:
    """One line per jar of the list that is missing or has other bytes; empty = all is well."""
    found = {path.name: sha256(path) for path in folder.glob("*.jar")}
    return [
        f"{name}: {'missing' if name not in found else f'SHA-256 is {found[name]}, expected {digest}'}"
        for name, digest in wanted().items()
        if found.get(name) != digest
    ]


def resolve(folder: Path, packages: Sequence[str] = (COORDINATE,), without: Sequence[str] = ()) -> list[Path]:
    """Downloads `packages` and what they need, but `without`, with Spark's resolver; no SparkContext is started."""
    import pyspark

    probe = folder / "probe.py"
    probe.write_text("", encoding="utf-8")
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    asked = ["--packages", ",".join(packages), *(["--exclude-packages", ",".join(without)] if without else [])]
    command = [str(submit), *asked, "--conf", f"spark.jars.ivy={folder / 'ivy'}", str(probe)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    jars = sorted((folder / "ivy" / "jars").glob("*.jar"))
    if done.returncode or not jars:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        names = ", ".join(packages)
        raise SystemExit(f"{tail}\nsetup: could not fetch {names}; is a Maven repository reachable from here?")
    return jars


def main(arguments: list[str]) -> None:
    relock = arguments == ["--relock"]
    if not relock and not problems(JARS):
        return
    print(f"setup: fetching Delta's jars ({COORDINATE}) into jars/ (once)")
    with tempfile.TemporaryDirectory() as scratch:
        fetched = [jar for jar in resolve(Path(scratch)) if jar.name.startswith(NEEDED)]
        if relock:
            SUMS.write_text("".join(f"{sha256(jar)}  {jar.name}\n" for jar in fetched), encoding="utf-8")
        if bad := problems(fetched[0].parent):
            raise SystemExit("setup: the fetched jars are not the trusted ones; nothing was kept\n" + "\n".join(bad))
        for name in wanted():
            part = JARS / f"{name}.part"
            part.write_bytes((fetched[0].parent / name).read_bytes())
            part.replace(JARS / name)


if __name__ == "__main__":
    main(sys.argv[1:])
