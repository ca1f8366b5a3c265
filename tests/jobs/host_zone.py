"""Takes a feed over and runs the daily pipeline in a process of its own: `python -m tests.jobs.host_zone FOLDER`.

Prints what the tables hold. Whoever starts it chooses the zone and the language of the host.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pipelines import daily
from tests.conftest import small_session
from tests.jobs.ingest_world import deliver, shop_context
from tests.jobs.split_world import SPAN, contents, feed
from visitgrain.runtime.context import Context
from visitgrain.runtime.runner import run_pipeline


def taken_over(made: Context, folder: Path) -> dict[str, dict[str, str]]:
    """What the tables of the lake hold by day, once the feed came and its days ran."""
    deliver(made, folder / "in", {"events/e.csv": feed(1)})
    run_pipeline(daily.PIPELINE, SPAN, made)
    return {name: {str(day): rows.name for day, rows in days.items()} for name, days in contents(made).items()}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    session = small_session(target / "spark")
    sys.stdout.write(json.dumps([time.tzname[0], taken_over(shop_context(session, target), target)]) + "\n")
