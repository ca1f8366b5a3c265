"""Logs on standard error, as text or as JSON lines; the run id is in each, and no phone number."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from visitgrain.errors import masked


def configure_logs(*, run_id: str, form: Literal["text", "json"], debug: bool) -> None:
    """Send visitgrain's logs, and warnings of libraries, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(run_id) if form == "json" else _Text(run_id))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("visitgrain").setLevel(logging.DEBUG if debug else logging.INFO)
    logging.getLogger("py4j").setLevel(logging.ERROR)


class _Text(logging.Formatter):
    def __init__(self, run_id: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {run_id} %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))  # the trace of an exception, too


class _Json(logging.Formatter):
    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "run_id": self._run_id,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return masked(json.dumps(line, ensure_ascii=False))
