"""Fetches what Spark reads and writes S3 with: `.venv/bin/python scripts/fetch_s3_jars.py FOLDER`.

Not vendored, as most lakes need none of it. docs/cluster.md tells how Spark is given the folder.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import fetch_jars

HADOOP, SDK = "3.5.0", "2.57.8"  # Hadoop: the version that this Spark brings
MODULES = ("s3", "s3-transfer-manager", "sts", "kms", "apache-client", "netty-nio-client")
PACKAGES = (f"org.apache.hadoop:hadoop-aws:{HADOOP}", *(f"software.amazon.awssdk:{name}:{SDK}" for name in MODULES))
# The whole SDK in one jar, instead of its modules; and what Spark has itself, in other versions: it does not start
# with Netty 4.1.
LEFT_OUT = (
    "software.amazon.awssdk:bundle",
    "io.netty:*",
    "org.slf4j:*",
    "commons-codec:*",
    "commons-logging:*",
    "org.apache.httpcomponents:*",
)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        fetched = fetch_jars.resolve(Path(scratch), PACKAGES, LEFT_OUT)
        for jar in fetched:
            shutil.copy(jar, folder)
    print(f"{len(fetched)} jars are in {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: fetch_s3_jars.py FOLDER")
    main(Path(sys.argv[1]))
