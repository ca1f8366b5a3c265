"""Staff and test devices by list, robots by user agent; the mapping has the last word. All are kept and counted."""

from __future__ import annotations

from jobs.ingest_source import ingest
from tests.cases.conftest import feed_context
from tests.cases.dirty_feeds import JSON_FEED, json_row, lines, written
from visitgrain.tables.inputs import EVENTS

ROBOT = "Googlebot/2.1"
MAPPING = JSON_FEED.replace("      page: url\n", "      page: url\n      exclusion: said\n")
ROWS = [
    json_row("nobody"),
    json_row("robot", agent=ROBOT),
    json_row("said", agent=ROBOT, said="demo"),  # the mapping gives a reason of its own
    json_row("staff", number="+86 138 0013 8000", agent=ROBOT),  # a list comes before the agent
    json_row("monkey", did="monkey-7"),
]


def test_every_reason_once(spark, tmp_path):
    made = feed_context(spark, tmp_path, json_feed=MAPPING)
    (tmp_path / "staff.txt").write_text("# numbers as the mapping gives them to pseudonym()\n13800138000\n")
    (tmp_path / "monkeys.txt").write_text("monkey-7\nmonkey-8\n")
    lists = (
        f"lists:\n  - {{reason: staff, column: subscriber_id, holds: numbers, file: {tmp_path}/staff.txt}}\n"
        f"  - {{reason: monkey, column: device_id, holds: ids, file: {tmp_path}/monkeys.txt}}\n"
    )
    rules = made.conf / "catalogue/exclusions.yaml"
    rules.write_text(rules.read_text().replace("lists: []\n", lists))
    result = ingest(made, source="json_feed", path=written(tmp_path / "in", {"a.jsonl": lines(*ROWS)}))
    assert {row.event_id: row.exclusion for row in made.lake.read(EVENTS).collect()} == {
        "nobody": None,
        "robot": "bot",
        "said": "demo",
        "staff": "staff",
        "monkey": "monkey",
    }
    [table] = result.tables
    assert table.outcomes == {"kept": 5}
    assert table.notes == {f"excluded:{why}": 1 for why in ("bot", "demo", "monkey", "staff")}

    # The list of robots grows and shrinks, the event stays what it is: sent again it is a duplicate, no conflict.
    rules.write_text(rules.read_text().replace("(?<!cu)bots?(?![a-z])", "no such agent"))
    again = ingest(made, source="json_feed", path=written(tmp_path / "again", {"b.jsonl": lines(ROWS[1], "")}))
    assert again.tables[0].outcomes["duplicate"] == 1
    assert made.lake.read(EVENTS).count() == 5
