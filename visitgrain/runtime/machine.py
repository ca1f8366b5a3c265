"""Spark options that depend on the machine; anything set in conf/ wins over them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MIB = 1024**2
GIB = 1024**3
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
DRIVER_MEMORY, DRIVER_JAVA = "spark.driver.memory", "spark.driver.extraJavaOptions"


def with_machine_defaults(options: Mapping[str, str], *, master: str | None) -> dict[str, str]:
    """`options`, with driver memory for a local master: a quarter of the machine's memory, 1 to 2.5 GiB.

    Events and visits are worked on by the Python workers, outside of the JVM; SQL over subscribers stays inside.
    """
    if DRIVER_MEMORY in options or not (master or "").startswith("local"):
        return dict(options)
    return {DRIVER_MEMORY: f"{min(2560, max(1024, memory_bytes() // (4 * MIB)))}m", **options}


def with_quiet_jvm(options: Mapping[str, str], conf: Path) -> dict[str, str]:
    """`options`, with conf/log4j2.properties for the driver: nothing but errors, from its first line on."""
    file = conf / "log4j2.properties"
    if not file.is_file():
        return dict(options)
    chosen = f"{options.get(DRIVER_JAVA, '')} -Dlog4j2.configurationFile={file.absolute().as_uri()}"
    return {**options, DRIVER_JAVA: chosen.strip()}


def memory_bytes() -> int:
    """Memory of the machine or of the container, whichever is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical
