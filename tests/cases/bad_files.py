"""The files behind the cases of `test_bad_input.py`; what becomes of each is said there."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.cases.dirty_feeds import (
    COLUMNS,
    DAY_MS,
    NOON,
    csv_file,
    csv_row,
    cut_gzip,
    json_row,
    lines,
    parquet_file,
    parquet_row,
    text_row,
    written,
)

# C7: ways to write one number, and what is none
SAME_NUMBER = [
    "13800138000",
    "+8613800138000",
    "008613800138000",
    "86 138 0013 8000",
    "138-0013-8000",
    "１３８００１３８０００",
    "+86（138）0013－8000",
    " 13800138000 ",
]
NO_NUMBER = ["1380013800", "138001380000", "1380013800a", "unknown", "02112345678"]
# C8: number, month, arpu in yuan, data in MB, messages
MONTHS = [
    ("31", "nan", "1", "1"),
    ("32", "1", "inf", "1"),
    ("33", "1e400", "1", "1"),
    ("34", "1", "-0.0", "1"),
    ("35", "0.123456789012345678901234567890", "1", "1"),
    ("36", "-12.34", "1", "1"),
    ("37", "1", "1", "9223372036854775808"),
    ("38", "1", "1", "2147483648"),
    ("39", "", "", ""),
]
ROBOT = "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)"


def write_cases(folder: Path) -> None:
    written(folder / "csv_feed", _csv_files())
    written(folder / "json_feed", _json_files())
    written(folder / "text_feed", {"c01.log": lines(text_row("c01_text"), "", "\t")})
    _parquet_files(folder / "parquet_feed")


def _csv_files() -> dict[str, bytes]:
    whole = csv_file(*(csv_row(f"c01_zipped_{n}") for n in range(5)))
    devise, reordered = COLUMNS.replace("device", "devise"), ",".join(reversed(COLUMNS.split(",")))
    months = "number,month,arpu,dou,sms\n" + "".join(
        f"{number},2026-02,{arpu},{dou},{sms}\n" for number, arpu, dou, sms in MONTHS
    )
    utf8 = [csv_row("c05_emoji", page="/😀"), csv_row("c05_chinese", page="/套餐")]
    return {
        "events/c01_truncated.csv.gz": cut_gzip(whole, 4),
        "events/c01_empty.csv": b"",
        "events/c01_newlines.csv": b"\n\n\n",
        "events/c03.csv": csv_file(
            csv_row("c03_csv_new") + ",gold,secret",
            csv_row("c03_csv_empty") + ",,x",
            header=f"{COLUMNS},tier,internal_id",
        ),
        "events/c04_missing.csv": csv_file("x,2026-03-01", header="id,time"),
        "events/c04_renamed.csv": csv_file(csv_row("c04_renamed"), header=devise),
        "events/c04_reordered.csv": csv_file(",".join(reversed(csv_row("c04_reordered").split(","))), header=reordered),
        "events/c05_no_header.csv": (csv_row("c05_no_header", number="13912345678") + "\n").encode(),
        "events/c05_twice.csv": csv_file("x", header=f"{COLUMNS},page"),
        "events/c05_header_only.csv": csv_file(),
        "events/c05_bom.csv": b"\xef\xbb\xbf" + csv_file(csv_row("c05_bom")),
        "events/c05_crlf.csv": csv_file(csv_row("c05_crlf"), csv_row("c05_crlf_2")).replace(b"\n", b"\r\n"),
        "events/c05_utf8.csv": csv_file(*utf8),
        "events/c06.csv": csv_file(
            csv_row("c06_delimiter", page='"/a,b"'),
            csv_row("c06_quote", page='"/say ""hi"""'),
            csv_row("c06_line_end", page='"/a\n\nb"'),
            csv_row("c06_after"),
        ),
        "events/c07.csv": csv_file(
            *(csv_row(f"c07_same_{n}", number=number) for n, number in enumerate(SAME_NUMBER)),
            *(csv_row(f"c07_none_{n}", number=number) for n, number in enumerate(NO_NUMBER)),
            csv_row("c07_missing"),
        ),
        "months/c08.csv": months.encode(),
        "events/c09.csv": csv_file(
            csv_row("c09_leap", time="2024-02-29 10:00:00"),
            csv_row("c09_no_leap", time="2025-02-29 10:00:00"),
            csv_row("c09_no_offset", time="2026-03-01T00:30:00"),
            csv_row("c09_offset", time="2026-03-01T00:30:00+00:00"),
            csv_row("c09_24", time="2026-03-01 24:00:00"),
            csv_row("c09_1970", time="1970-01-01 00:00:00"),
            csv_row("c09_2000", time="2000-01-01 08:00:00"),  # midnight in UTC: the first plausible instant
            csv_row("c09_9999", time="9999-12-31 23:59:59"),
        ),
        "months/c16.csv": b"number,month,arpu,dou,sms\n41,2026-02,10,1,1\n41,2026-02,11,1,1\n42,2026-02,10,1,1\n",
        "events/rule.csv": csv_file(csv_row("rule_health", page="/health"), csv_row("rule_other", page="/other")),
        "events/d02_a.csv": csv_file(csv_row("d02_one_file"), csv_row("d02_one_file"), csv_row("d02_two_files")),
        "events/d02_b.csv": csv_file(csv_row("d02_two_files"), csv_row("d02_other")),
    }


def _json_files() -> dict[str, bytes]:
    far = 3_650 * DAY_MS
    return {
        "c01.jsonl": lines(json_row("c01_json"))[:-1] + b'\n{"id":"c01_cut","did":"d',
        "c02.jsonl": lines(json_row("c02_a", step=1), json_row("c02_b", step="zz"), json_row("c02_c", step="3")),
        "c03.jsonl": lines(
            json_row("c03_json", tier="gold", nested={"b": [True, None]}, nothing=None), json_row("c03_json_old")
        ),
        "c09.jsonl": lines(
            json_row("c09_seconds", got=NOON // 1000),
            json_row("c09_micros", got=NOON * 1000),
            json_row("c09_overflow", got=2**62),
            json_row("c09_wrong_device", sent=NOON + 99_999 * DAY_MS, made=NOON + 99_999 * DAY_MS - 5_000),
        ),
        "c10.jsonl": lines(
            json_row("c10_agent", agent="x" * 1_000_000),
            json_row("c10_keys", **{f"k{n}": n for n in range(10_000)}),
            json_row("c10_depth")[:-1] + ',"url":' + "[" * 1_000 + "]" * 1_000 + "}",
            json_row("c10_after"),
        ),
        "c11.jsonl": lines(
            *(json_row(f"c11_robot_{n}", did="hot", agent=ROBOT) for n in range(30)),
            *(
                json_row(f"c11_person_{n}", did=f"p{n}", agent="Mozilla/5.0 (Linux; Android 9; CUBOT X19)")
                for n in range(70)
            ),
        ),
        "d05.jsonl": lines(
            *(
                json_row(f"d05_{name}", sent=NOON + shift - 1_000, made=NOON + shift - 6_000)
                for name, shift in (("right", 0), ("day_ahead", DAY_MS), ("years_ahead", far), ("years_behind", -far))
            ),
            json_row("d05_barely", sent=NOON + DAY_MS, made=NOON + DAY_MS - 5_000),
            json_row("d05_over", sent=NOON + DAY_MS + 1_000, made=NOON + DAY_MS - 4_000),
            json_row("d05_no_sent", sent=None, made=NOON - 6_000),
            json_row("d05_no_made", made=None),
            json_row("d05_sent_first", sent=NOON - 6_000, made=NOON - 1_000),
        ),
    }


def _parquet_files(folder: Path) -> None:
    extra = {"tier": "gold", "nested": {"b": 1}, "when": parquet_row("x")["time"]}
    new = {"tier": pl.String, "nested": pl.Struct({"b": pl.Int64}), "when": pl.Datetime("us", "UTC")}
    nothing = dict.fromkeys(extra)
    parquet_file(
        [parquet_row("c03_parquet", **extra), parquet_row("c03_parquet_empty", **nothing)],
        folder / "c03.parquet",
        **new,
    )
    parquet_file([parquet_row("c08_nan", price=float("nan"))], folder / "c08.parquet")
    wide = [parquet_row("c17_long", step=3), parquet_row("c17_too_long", step=2**40)]
    parquet_file(wide, folder / "c17_long.parquet", step=pl.Int64)
    doubles = [parquet_row("c17_double", step=3.0), parquet_row("c17_half", step=3.5)]
    parquet_file(doubles, folder / "c17_double.parquet", step=pl.Float64)
    texts = [parquet_row("c17_text", step="3"), parquet_row("c17_word", step="three")]
    parquet_file(texts, folder / "c17_text.parquet", step=pl.String)
    times = [parquet_row("c17_time", step=parquet_row("x")["time"])]
    parquet_file(times, folder / "c17_time.parquet", step=pl.Datetime("us", "UTC"))
