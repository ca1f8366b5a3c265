"""Text files as records: every byte has one owner, and positions are exact."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest

from visitgrain.errors import GateRefused
from visitgrain.sources.fields import MAX_FIELD, Wanted
from visitgrain.sources.records import MAX_RECORD
from visitgrain.sources.rows import Layout, body, columns_of, parser

pytestmark = pytest.mark.slow  # some seconds

CSV = Layout("csv", "utf-8", ",", '"', (), None, frozenset({""}))
JSON = Layout("json", "utf-8", ",", None, (), None, frozenset())


def read(path: Path, layout: Layout) -> list[tuple]:
    """(offset, fields or reason) of every record."""
    columns = columns_of(path, layout) or []
    parse = parser(layout, columns, Wanted(tuple(columns)))
    found = (record for block in body(path, layout) for record in block)
    return [(record.offset, record.reason or _without_rescued(parse([record.text])[0])) for record in found]


def _without_rescued(fields):
    return fields if isinstance(fields, str) else fields[:-1]


def csv_of(tmp_path: Path, data: bytes, layout: Layout = CSV, name: str = "a.csv") -> list[tuple]:
    file = tmp_path / name
    file.write_bytes(data)
    return read(file, layout)


@pytest.mark.parametrize(
    ("case", "data", "expected"),
    [
        ("plain", b"a,b\n1,2\n3,4\n", [(4, ["1", "2"]), (8, ["3", "4"])]),
        ("no line end at the end", b"a,b\n1,2", [(4, ["1", "2"])]),
        ("CRLF", b"a,b\r\n1,2\r\n3,4\r\n", [(5, ["1", "2"]), (10, ["3", "4"])]),
        ("byte order mark", b"\xef\xbb\xbfa,b\n1,2\n", [(7, ["1", "2"])]),
        ("blank lines are counted", b"a,b\n\n1,2\n \n", [(4, "blank"), (5, ["1", "2"]), (9, "blank")]),
        ("line end in quotes", b'a,b\n1,"x\ny"\n3,4\n', [(4, ["1", "x\ny"]), (12, ["3", "4"])]),
        ("delimiter and doubled quote", b'a,b\n"1,1","say ""hi"""\n', [(4, ["1,1", 'say "hi"'])]),
        ("quote inside a field", b'a,b\n5" disk,x\n1,2\n', [(4, ['5" disk', "x"]), (14, ["1", "2"])]),
        ("quote never closed", b'a,b\n1,"x\n2,"y"\n3,4\n', [(4, "quote"), (9, ["2", "y"]), (15, ["3", "4"])]),
        ("text after a closing quote", b'a,b\n1,"x"y\n3,4\n', [(4, "quote"), (11, ["3", "4"])]),
        ("too many, too few", b"a,b\n1,2,3\n4\n5,6\n", [(4, "columns"), (10, "columns"), (12, ["5", "6"])]),
        ("missing is not empty text", b'a,b\n,""\n', [(4, [None, None])]),
        ("undecodable", b"a,b\n\xff,1\n3,4\n", [(4, "encoding"), (8, ["3", "4"])]),
        ("surrogate in UTF-8", b"a,b\n\xed\xa0\x80,1\n", [(4, "encoding")]),
        ("NUL", b"a,b\n1,\x00\n3,4\n", [(4, "encoding"), (8, ["3", "4"])]),
        ("emoji and Chinese", "a,b\n😀,套餐\n".encode(), [(4, ["😀", "套餐"])]),
        ("header only", b"a,b\n", []),
        ("empty file", b"", []),
        ("file of newlines", b"\n\n\n", [(0, "blank"), (1, "blank"), (2, "blank")]),
    ],
)
def test_csv(tmp_path: Path, case: str, data: bytes, expected: list[tuple]) -> None:
    assert csv_of(tmp_path, data) == expected


def test_gbk(tmp_path: Path) -> None:
    layout = Layout("csv", "gbk", "|", '"', (), None, frozenset())
    # 0x7C, the delimiter, is the second byte of 亅 in GBK
    assert csv_of(tmp_path, "a|b\n套餐|亅\n".encode("gbk"), layout) == [(4, ["套餐", "亅"])]


def test_duplicate_header_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="duplicate column names in the header: a"):
        csv_of(tmp_path, b"a,b,a\n1,2,3\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"a":"x"}', ["x"]),
        (b'{"a":1.50}', ["1.50"]),  # as written
        (b'{"a":123456789012345678901234567890}', ["123456789012345678901234567890"]),
        (b'{"a":true}', ["true"]),
        (b'{"a":null}', [None]),
        (b'{"a":{"b":"c"}}', ['{"b": "c"}']),
        (b'{"a":NaN}', "json"),
        (b'{"a":1', "json"),
        (b'{"a":1} {"a":2}', "json"),
        (b"[1]", "json"),
        (b"1", "json"),
        (b'"size"', "json"),
        (b'{"a":"\\ud800"}', "encoding"),
        (b'{"a":"\\ud83d\\ude00"}', ["😀"]),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "size"),
    ],
)
def test_json(tmp_path: Path, line: bytes, expected: object) -> None:
    first = b'{"a":"0"}\n'
    assert csv_of(tmp_path, first + line + b"\n", JSON, "a.json") == [(0, ["0"]), (10, expected)]


OPTIONS = [
    # case, layout, columns, known fields, ignored globs, record, the one wanted field, the rescued ones
    ("csv", CSV, ["a", "new", "x_1"], {"a"}, ("x_*",), "1,2,3", "1", {"new": "2"}),
    ("csv: missing values are left out", CSV, ["a", "new"], {"a"}, (), "1,", "1", None),
    ("csv: read by another table", CSV, ["a", "b"], {"a", "b"}, (), "1,2", "1", None),
    (
        "json",
        JSON,
        [],
        {"a"},
        (),
        '{"a":1,"z":{"k":[1]},"new":true,"none":null}',
        "1",
        {"new": "true", "z": '{"k": ["1"]}'},
    ),
    ("json: all is ignored", JSON, [], None, ("*",), '{"a":1,"new":2}', "1", None),
]


@pytest.mark.parametrize(("case", "layout", "columns", "known", "ignored", "text", "field", "rescued"), OPTIONS)
def test_fields_that_nobody_reads_are_rescued(case, layout, columns, known, ignored, text, field, rescued) -> None:
    wanted = Wanted(("a",), None if known is None else frozenset(known), ignored)
    assert parser(layout, columns, wanted)([text]) == [[field, rescued]]


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        (JSON, '{"a":"' + "x" * MAX_FIELD + '"}', ["x" * MAX_FIELD]),
        (JSON, '{"a":"' + "x" * (MAX_FIELD + 1) + '"}', "size"),
        (JSON, '{"a":"' + "套" * (MAX_FIELD // 3 + 1) + '"}', "size"),  # three bytes each
        (CSV, "x" * (MAX_FIELD + 1), "size"),
        (JSON, "{" + ",".join(f'"k{n}":1' for n in range(1_001)) + "}", "size"),
        (JSON, '{"a":' + "[" * 99 + "]" * 99 + "}", ["[" * 99 + "]" * 99]),
        (JSON, '{"a":' + "[" * 100 + "]" * 100 + "}", "size"),
        (JSON, '{"a":"' + "[" * 200 + '"}', ["[" * 200]),  # brackets in a text are no nesting
        (JSON, '{"a":"\\u0000"}', "encoding"),
    ],
    ids=["64 KiB", "over 64 KiB", "wide characters", "csv", "1,001 keys", "depth 100", "depth 101", "brackets", "NUL"],
)
def test_limits_of_a_record(layout, text, expected) -> None:
    [found] = parser(layout, ["a"], Wanted(("a",)))([text])
    assert _without_rescued(found) == expected


def test_pattern(tmp_path: Path) -> None:
    layout = Layout("text", "utf-8", ",", None, (), r"(?P<ip>\S+) (?P<path>\S+)", frozenset({"-"}))
    data = b"1.2.3.4 /a\nnonsense\n- /b\n"
    assert csv_of(tmp_path, data, layout) == [(0, ["1.2.3.4", "/a"]), (11, "pattern"), (20, [None, "/b"])]


@pytest.mark.parametrize("ends", [b"\n", b""])
def test_oversize_record_is_cut_out(tmp_path: Path, ends: bytes) -> None:
    long = b"x" * (5 * MAX_RECORD)
    file = tmp_path / "a.csv"
    file.write_bytes(b"a\n1\n" + long + b"\n2" + ends)
    found = [record for block in body(file, CSV) for record in block]
    assert [(r.offset, r.reason) for r in found] == [(2, None), (4, "size"), (4 + len(long) + 1, None)]
    assert found[1].payload_hash == hashlib.sha256(long).hexdigest()
    assert len(found[1].text) == 1 << 16


def test_c10_memory_is_bounded_however_much_a_file_unpacks_to(tmp_path: Path) -> None:
    """128 MB of one line in 128 KB: it is refused, and no more than some blocks of it are ever in memory."""
    file = tmp_path / "bomb.jsonl.gz"
    with gzip.open(file, "wb", compresslevel=1) as stream:
        for _ in range(128):
            stream.write(b"x" * 1_000_000)
    tracemalloc.start()
    found = [(record.offset, record.reason) for block in body(file, JSON) for record in block]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(0, "size")]
    assert peak < 32_000_000


def test_gzip_several_members(tmp_path: Path) -> None:
    data = gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")
    assert csv_of(tmp_path, data) == [(2, ["1"]), (4, ["2"])]


def test_truncated_gzip_keeps_good_rows(tmp_path: Path) -> None:
    rows = b"".join(b"%06d\n" % n for n in range(100_000))
    data = gzip.compress(b"a\n" + rows)
    found = csv_of(tmp_path, data[: len(data) // 2])
    good = [fields[0] for _, fields in found if fields != "truncated"]
    assert 1_000 < len(good) < 100_000
    assert good == [f"{n:06d}" for n in range(len(good))]
    assert found[-1] == (2 + 7 * len(good), "truncated")


def test_damaged_zstd_keeps_good_rows(tmp_path: Path) -> None:
    rows = b"".join(b"%06d\n" % n for n in range(300_000))
    data = pa.Codec("zstd").compress(b"a\n" + rows, asbytes=True)
    found = csv_of(tmp_path, data[: len(data) // 2])
    good = len(found) - 1
    assert 0 < good < 300_000
    assert found[-1] == (2 + 7 * good, "truncated")


def test_zstd(tmp_path: Path) -> None:
    assert csv_of(tmp_path, pa.Codec("zstd").compress(b"a\n1\n", asbytes=True)) == [(2, ["1"])]


def test_records_over_block_borders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b'a,b\n1,"x\n\ny"\n\n22,"z,""q"""\n3,4\n'
    whole = csv_of(tmp_path, data)
    for block in range(1, len(data)):
        monkeypatch.setattr("visitgrain.sources.records.BLOCK", block)
        assert csv_of(tmp_path, data) == whole, f"blocks of {block} bytes"
