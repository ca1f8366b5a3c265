"""Cases C1-C6, C10, C11, C15-C17, D2: what becomes of bad input. All files went through ingest once (`dirty`)."""

from __future__ import annotations

import pytest

from tests.cases.dirty_feeds import COLUMNS, csv_row, json_row
from visitgrain.tables.inputs import SUBSCRIBER_MONTH

HEAD = len(COLUMNS) + 1  # bytes of the header of a CSV file


def refusal(dirty, feed: str, file: str) -> str:
    [found] = [text for text in dirty.results[feed].refused if text.startswith(f"{file}:")]
    return found


def outcomes(dirty, feed: str, table: str = "events") -> dict[str, int]:
    return next(part.outcomes for part in dirty.results[feed].tables if part.table == table)


def test_c01_truncated_gzip(dirty):
    """The good part is kept; the rest is one refused row at the byte where the text ends."""
    assert dirty.ids("c01_zipped") == [f"c01_zipped_{n}" for n in range(5)]
    end = HEAD + sum(len(csv_row(f"c01_zipped_{n}")) + 1 for n in range(5))
    assert dirty.reasons("csv_feed", "events/c01_truncated.csv.gz") == [(end, "truncated")]


def test_c01_truncated_last_line_of_json(dirty):
    assert dirty.ids("c01_json") == ["c01_json"]
    assert dirty.reasons("json_feed", "c01.jsonl") == [(len(json_row("c01_json")) + 1, "json")]


def test_c01_empty_file(dirty):
    assert "events/c01_empty.csv" in dirty.results["csv_feed"].files
    assert dirty.reasons("csv_feed", "events/c01_empty.csv") == []


def test_c01_blank_lines_are_counted(dirty):
    """Three in the file of newlines; in the text feed an empty one and one with a tab."""
    assert outcomes(dirty, "csv_feed")["filtered:blank_line"] == 3
    assert outcomes(dirty, "text_feed")["filtered:blank_line"] == 2


def test_c02_wrong_type(dirty):
    assert dirty.reasons("json_feed", "c02.jsonl") == [(len(json_row("c02_a", step=1)) + 1, "type:step_no")]
    assert [(id_, dirty.events[id_].step_no) for id_ in dirty.ids("c02")] == [("c02_a", 1), ("c02_c", 3)]


@pytest.mark.parametrize(
    ("id_", "rescued"),
    [
        ("c03_csv_new", {"tier": "gold"}),  # internal_* is ignored
        ("c03_csv_empty", None),
        ("c03_json", {"nested": '{"b": [true, null]}', "tier": "gold"}),
        ("c03_json_old", None),
        ("c03_parquet", {"nested": '{"b":1}', "tier": "gold", "when": "2026-03-01 10:00:00"}),
        ("c03_parquet_empty", None),
    ],
)
def test_c03_unknown_fields_are_kept(dirty, id_, rescued):
    assert dirty.events[id_].rescued == rescued


def test_c03_unknown_fields_are_counted(dirty):
    notes = {feed: result.tables[0].notes for feed, result in dirty.results.items()}
    assert {feed: found.get("rescued") for feed, found in notes.items()} == {
        "csv_feed": 1,
        "json_feed": 1,
        "text_feed": None,
        "parquet_feed": 1,
    }
    assert dirty.results["csv_feed"].unread == ("tier",)
    assert dirty.results["parquet_feed"].unread == ("nested", "tier", "when")
    assert {"nested", "tier"} <= set(dirty.results["json_feed"].unread)


def test_c04_missing_column(dirty):
    assert "'device' (read by events.device_id)" in refusal(dirty, "csv_feed", "events/c04_missing.csv")


def test_c04_renamed_column(dirty):
    text = refusal(dirty, "csv_feed", "events/c04_renamed.csv")
    assert "it lacks 1 of the 10 columns read" in text
    assert "'device' (read by events.device_id); did you mean 'devise'?" in text
    assert dirty.ids("c04_renamed") == []


def test_c04_reordered_columns_are_read_by_name(dirty):
    row = dirty.events["c04_reordered"]
    assert (row.device_id, row.event_type, row.page) == ("d1", "click", "/")


def test_c05_no_header_says_no_value(dirty):
    text = refusal(dirty, "csv_feed", "events/c05_no_header.csv")
    assert "does it lack its header?" in text
    assert "13912345678" not in text


def test_c05_duplicate_column_names(dirty):
    assert "duplicate column names in the header: page" in refusal(dirty, "csv_feed", "events/c05_twice.csv")


def test_c05_header_only(dirty):
    assert "events/c05_header_only.csv" in dirty.results["csv_feed"].files
    assert dirty.reasons("csv_feed", "events/c05_header_only.csv") == []


@pytest.mark.parametrize("id_", ["c05_bom", "c05_crlf", "c05_crlf_2"])
def test_c05_byte_order_mark_and_crlf(dirty, id_):
    row = dirty.events[id_]
    assert (row.event_id, row.page, row.amount_fen) == (id_, "/", None)


@pytest.mark.parametrize(("id_", "page"), [("c05_emoji", "/😀"), ("c05_chinese", "/套餐")])
def test_c05_text_is_decoded_right(dirty, id_, page):
    """GBK in a UTF-8 feed, NUL and lone surrogates are in `labelled`: all refused as `encoding`.

    GBK where the mapping says so: tests/unit/sources/test_records.py.
    """
    assert dirty.events[id_].page == page


def test_c06_quotes_line_ends_delimiters(dirty):
    assert {id_: dirty.events[id_].page for id_ in dirty.ids("c06")} == {
        "c06_after": "/",
        "c06_delimiter": "/a,b",
        "c06_line_end": "/a\n\nb",
        "c06_quote": '/say "hi"',
    }
    assert dirty.reasons("csv_feed", "events/c06.csv") == []


def test_c10_large_records_are_refused(dirty):
    assert [reason for _, reason in dirty.reasons("json_feed", "c10.jsonl")] == ["size", "size", "size"]
    assert dirty.ids("c10") == ["c10_after"]


def test_c11_hot_robot_is_tagged(dirty):
    """30 of 100 events are a robot's; CUBOT makes phones."""
    robots = {id_ for id_ in dirty.ids("c11") if dirty.events[id_].exclusion == "bot"}
    assert robots == {f"c11_robot_{n}" for n in range(30)}
    assert dirty.results["json_feed"].tables[0].notes["excluded:bot"] == 30


def test_c15_rows_without_partner_are_kept(dirty):
    """Months of numbers without events, events of subscribers without a month: neither needs the other."""
    with_month = {row.subscriber_id for row in dirty.context.lake.read(SUBSCRIBER_MONTH).collect()}
    with_events = {row.subscriber_id for row in dirty.events.values()} - {None}
    assert len(with_month) == 5  # four of C8 and one of C16
    assert len(with_events) == 1
    assert with_month.isdisjoint(with_events)


def test_c16_contradicting_rows_of_one_key(dirty):
    """Both rows of number 41 are refused, so that no sum counts it twice; 42 stays."""
    refused = [row for row in dirty.refused["csv_feed"] if row.file == "months/c16.csv"]
    assert [(row.reason, row.payload) for row in sorted(refused, key=lambda row: row.position)] == [
        ("duplicate_key", "41,2026-02,10,1,1"),
        ("duplicate_key", "41,2026-02,11,1,1"),
    ]


def test_c17_other_types_of_a_parquet_column(dirty):
    """Wider integers, doubles and texts count where the value fits the declared int exactly; nothing wraps around."""
    assert {id_: dirty.events[id_].step_no for id_ in dirty.ids("c17")} == {
        "c17_long": 3,
        "c17_double": 3,
        "c17_text": 3,
    }
    for file in ("c17_long", "c17_double", "c17_text"):
        assert dirty.reasons("parquet_feed", f"{file}.parquet") == [(1, "type:step_no")]


def test_c17_type_that_cannot_fit_refuses_the_file_only(dirty):
    text = refusal(dirty, "parquet_feed", "c17_time.parquet")
    assert "tables.events.columns.step_no: int(x) needs text or json, found timestamp" in text
    assert "c17_time.parquet" not in dirty.results["parquet_feed"].files


def test_rows_that_a_rule_leaves_out_are_counted(dirty):
    assert dirty.ids("rule") == ["rule_other"]
    assert outcomes(dirty, "csv_feed")["filtered:health_checks"] == 1


def test_d02_the_same_event_twice(dirty):
    assert dirty.ids("d02") == ["d02_one_file", "d02_other", "d02_two_files"]
    assert outcomes(dirty, "csv_feed")["duplicate"] == 2
