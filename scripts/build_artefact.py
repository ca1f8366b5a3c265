"""Builds build/visitgrain.zip, the one file that goes to a cluster: exactly what setup.py installs, with the YAML.

The bytes depend on the sources alone, so an unchanged tree gives an unchanged file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARTEFACT = ROOT / "build" / "visitgrain.zip"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold


def installed_files(folder: Path) -> list[Path]:
    """Lets setup.py lay out what it installs under `folder`; paths relative to it, sorted."""
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stderr}\npackage: setup.py build_py failed")
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def build(target: Path = ARTEFACT) -> Path:
    """Writes the artefact and returns its path; readers never see a half-written one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in installed_files(Path(scratch)):
            content = (Path(scratch) / name).read_bytes()
            archive.writestr(zipfile.ZipInfo(str(name), EPOCH), content, zipfile.ZIP_DEFLATED)
    return part.replace(target)


if __name__ == "__main__":
    print(f"package: {build().relative_to(ROOT)}")
