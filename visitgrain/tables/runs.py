"""What ingest, the runner and operators note about the work itself."""

from __future__ import annotations

from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.model import Kind, Table, col, key

QUARANTINED_EVENTS = Table(
    name="quarantined_events",
    kind=Kind.OUTPUT,
    grain="one row per refused input row",
    description="Rows of any input table that could not be taken over, with place, reason and payload, for replay.",
    columns=(
        key("load_id", "string", "ingest run", provenance=True),
        key("load_date", "date", "local day of the ingest run", provenance=True),
        key("source", "string", "source mapping"),
        key("table_name", "string", "canonical table the row was meant for"),
        key("file", "string", "path of the file, relative to the ingested folder"),
        key("file_hash", "string", "content hash of the file"),
        key("position", "bigint", "byte offset (text) or row number from 0 (parquet) in the file"),
        key("position_kind", "string", "what position counts", values=("byte", "row")),
        key("reason", "string", "why, e.g. null:event_time, value:channel, encoding"),
        key("payload_hash", "string", "SHA-256 of the row as UTF-8 text; of its bytes where they are no text"),
        col("payload", "string", "the row as it came, at most 65,536 characters of it", personal=True),
        key("columns", "string", "columns of the file as JSON: their names, or a Spark schema (parquet)"),
        col("fixed_by", "string", "what was corrected before the row was taken over after all; null = still refused"),
        col("replayed_at", "timestamp", "when it was", provenance=True),
        col("replay_run_id", "string", "run of `requarantine` that did it", provenance=True),
    ),
    key=("file_hash", "table_name", "position"),
    partition="load_date",
)

CONFLICTING_EVENTS = Table(
    name="conflicting_events",
    kind=Kind.OUTPUT,
    grain="one row per losing row of an event id with several payloads",
    description="Same event id, another payload: the winner is min(received, load, payload hash), the losers are here.",
    columns=(
        key("event_id", "string", "id that came twice"),
        key("event_date", "date", "local day of the loser's event_time"),
        key("received_time", "timestamp", "collector time of the loser"),
        key("payload_hash", "string", "hash of the loser's columns"),
        key("payload", "string", "the loser's columns as JSON", personal=True),
        key("source", "string", "source mapping"),
        key("load_id", "string", "ingest run that brought the loser", provenance=True),
    ),
    key=("event_id", "payload_hash"),
    partition="event_date",
)

LATE_EVENTS = EVENTS.model_copy(
    update={
        "name": "late_events",
        "kind": Kind.OUTPUT,
        "grain": "one row per event beyond the late horizon",
        "description": "Events received more than late_horizon_days after they happened; see `admit-late`.",
    }
)

INGEST_MANIFEST = Table(
    name="ingest_manifest",
    kind=Kind.RUNTIME,
    grain="one row per file taken over",
    description="Files by content hash: a file delivered twice, or under another name, counts once.",
    columns=(
        key("file_hash", "string", "SHA-256 of the bytes"),
        key("source", "string", "source mapping"),
        key("file", "string", "path relative to the ingested folder"),
        key("bytes", "bigint", "size", unit="bytes"),
        key("load_id", "string", "ingest run", provenance=True),
        key("loaded_at", "timestamp", "when", provenance=True),
    ),
    key=("file_hash", "source"),
)

RUN_LEDGER = Table(
    name="run_ledger",
    kind=Kind.RUNTIME,
    grain="one row per attempt of a job and written table",
    description="What each run read and wrote, with the conservation law and the content hash.",
    columns=(
        key("run_id", "string", "one command, and those that continue it = one run id"),
        key("job", "string", "job"),
        key("table_name", "string", "table written"),
        key("period_start", "date", "first day the run computed"),
        key("period_end", "date", "last day the run computed"),
        key("status", "string", "how it ended", values=("ok", "failed")),
        key("code_version", "string", "version of visitgrain"),
        key("catalogue_hash", "string", "hash of settings and catalogue that change results"),
        key("input_versions", "map<string,bigint>", "Delta version of each table read"),
        key("input_hashes", "map<string,string>", "first day of each period computed -> hash of all that it read"),
        col("output_version", "bigint", "Delta version written"),
        col("rows_in", "bigint", "rows the conserved input had"),
        key("outcomes", "map<string,bigint>", "input rows by what became of them; sums to rows_in"),
        col("notes", "map<string,bigint>", "good rows of ingest by what was noticed: rescued, skewed, excluded:<why>"),
        col("rows_out", "bigint", "rows written"),
        col("content_hash", "string", "order-free hash of the rows written"),
        col("error", "string", "message of a failed run"),
        key("started_at", "timestamp", "when"),
        key("seconds", "double", "how long", unit="s"),
    ),
    key=("run_id", "job", "table_name", "period_start", "started_at"),
)

PUBLISHED_RUNS = Table(
    name="published_runs",
    kind=Kind.RUNTIME,
    grain="one row per publication of a finished pipeline run",
    description="The version of every table that readers should use.",
    columns=(
        key("run_id", "string", "run"),
        key("pipeline", "string", "pipeline"),
        key("period_start", "date", "first day"),
        key("period_end", "date", "last day"),
        key("published_at", "timestamp", "when"),
        key("versions", "map<string,bigint>", "table -> Delta version"),
    ),
    key=("run_id", "pipeline", "period_start", "published_at"),
)

QUALITY_RESULTS = Table(
    name="quality_results",
    kind=Kind.RUNTIME,
    grain="one row per pipeline run, rule and period of a table",
    description="What the quality gate found before each publication, also where it refused one.",
    columns=(
        key("run_id", "string", "run"),
        key("pipeline", "string", "pipeline that was to be published"),
        key("table_name", "string", "table judged"),
        col("period", "date", "value of its partition column; null = the whole table"),
        key("rule", "string", "kind of the rule and its column, e.g. range:hour"),
        key("kind", "string", "what the rule looks at: key, null, values, range, reference, sum, volume, drift, …"),
        key("severity", "string", "what a failure means", values=("warn", "block")),
        key("verdict", "string", "outcome", values=("pass", "warn", "block", "allowed", "not_judged")),
        key("value", "double", "what was found: rows that break the rule, rows (volume), a share, a PSI, hours, a sum"),
        col("expected_low", "double", "least that is allowed; null = no limit"),
        col("expected_high", "double", "most that is allowed; null = no limit"),
        key("checked_rows", "bigint", "rows looked at"),
        key("counts", "map<string,bigint>", "rows by value, of rules about distributions"),
        key("checked_at", "timestamp", "when"),
    ),
    key=("run_id", "pipeline", "table_name", "rule", "period"),
)

UNSTITCHED = Table(
    name="unstitched",
    kind=Kind.OUTPUT,
    grain="one row per login whose stitches were taken back",
    description="Logins that no earlier visit is stitched by any more; written by `unstitch`, heeded by stitch_visits.",
    columns=(
        key("device_id", "string", "where the login was", personal=True),
        key("login_time", "timestamp", "when it was"),
        key("login_event_id", "string", "the event that named the subscriber, as visits.login_event_id said then"),
        key("login_date", "date", "local day of the login"),
        key("reason", "string", "why, in somebody's words"),
        key("taken_back_at", "timestamp", "when", provenance=True),
    ),
    key=("device_id", "login_time"),
    partition="login_date",
)

TABLE_REPORTS = Table(
    name="table_reports",
    kind=Kind.RUNTIME,
    grain="one row per table and `maintain` run",
    description="How each table lay on disk, before maintenance, and what maintenance did to it.",
    columns=(
        key("run_id", "string", "run of `maintain`"),
        key("table_name", "string", "table"),
        key("reported_at", "timestamp", "when"),
        key("version", "bigint", "newest Delta version"),
        key("versions", "bigint", "versions that the log holds one by one"),
        key("written_at", "timestamp", "when a version last changed rows, or the first that the log still holds"),
        key("rows", "bigint", "rows of the newest version"),
        key("files", "bigint", "data files of it"),
        key("small_files", "bigint", "those smaller than small_file_mb"),
        key("bytes", "bigint", "their size", unit="bytes"),
        key("partitions", "bigint", "values of the partition column; 1 where there is none"),
        key("skew", "double", "bytes of the largest partition over those of the middle one"),
        key("fewer_files", "bigint", "files less, after small ones were brought together"),
        key("removed_files", "bigint", "files that nobody needed any more"),
        key("removed_bytes", "bigint", "their size", unit="bytes"),
    ),
    key=("run_id", "table_name"),
)
