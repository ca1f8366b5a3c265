"""Who asked to be erased, what proves that they are, who looked at whom; and the vault of who is who."""

from __future__ import annotations

from visitgrain.tables.model import Identity, Kind, Table, col, key

SUBJECT = "keyed hash of the identity: tells nothing without the key of the pseudonyms"

ERASURE_REQUESTS = Table(
    name="erasure_requests",
    kind=Kind.RUNTIME,
    grain="one row per request that is not done yet",
    description="Subscribers to erase. `visitgrain erase run` erases them, and their requests with them.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym of who is to be erased"),
        key("request_id", "string", "id of the request, kept in its proof"),
        key("requested_at", "timestamp", "when it was noted", provenance=True),
        key("requested_by", "string", "user of the operating system that noted it", provenance=True),
    ),
    key=("subscriber_id",),
)

ERASURE_PROOFS = Table(
    name="erasure_proofs",
    kind=Kind.RUNTIME,
    grain="one row per erased subscriber",
    description="What an erasure removed, and that a search afterwards found nothing. No personal value.",
    columns=(
        key("request_id", "string", "the request"),
        key("subject", "string", SUBJECT),
        key("requested_at", "timestamp", "when it was noted"),
        key("erased_at", "timestamp", "when the search that found nothing ended"),
        key("run_id", "string", "run that erased"),
        key("rows", "map<string,bigint>", "table -> rows removed by this run, of all its requests together"),
        key("files_removed", "bigint", "data, log and staging files deleted for good"),
        key("files_searched", "bigint", "files beside the rows of the tables that were read to the end afterwards"),
        key("found", "bigint", "places where an identity was found afterwards; always 0 in a proof"),
    ),
    key=("request_id",),
)

ERASED_SUBSCRIBERS = Table(
    name="erased_subscribers",
    kind=Kind.RUNTIME,
    grain="one row per erased identity and time for which it stood for the erased person",
    description="Tombstones: ingest leaves rows of these out and counts them as filtered:erased.",
    columns=(
        key("tombstone", "string", SUBJECT),
        col("valid_from", "date", "first local day; null = always. A number stood for others before"),
        col("valid_to", "date", "first local day on which it stands for somebody else; null = for ever"),
        key("request_id", "string", "the request"),
    ),
    key=("tombstone", "valid_from", "request_id"),
)

RETENTION_PROOFS = Table(
    name="retention_proofs",
    kind=Kind.RUNTIME,
    grain="one row per run of `retain` and table that lost rows",
    description="What was deleted because it was older than conf/catalogue/retention.yaml allows.",
    columns=(
        key("run_id", "string", "the run"),
        key("table_name", "string", "table"),
        key("days", "bigint", "how long the policy keeps its rows", unit="days"),
        key("kept_from", "date", "first day (or month) that is still there"),
        key("rows", "bigint", "rows deleted"),
        key("files_removed", "bigint", "data and log files deleted for good"),
        key("deleted_at", "timestamp", "when"),
    ),
    key=("run_id", "table_name"),
)

ACCESS_AUDIT = Table(
    name="access_audit",
    kind=Kind.RUNTIME,
    grain="one row per export and per look at a single subscriber",
    description="Who read what, when and why. Rows are chained by hashes: `visitgrain audit verify` finds edits.",
    columns=(
        key("seq", "bigint", "1, 2, 3, … without a gap"),
        key("at", "timestamp", "when"),
        key("who", "string", "user of the operating system"),
        key("host", "string", "machine"),
        key("action", "string", "command"),
        key("subject", "string", "SHA-256 of the pseudonym looked at, first 32 digits; of an export what was exported"),
        key("rows", "bigint", "rows shown or written"),
        key("purpose", "string", "why, in the reader's words"),
        key("previous", "string", "`hash` of the row before; of the first one zeros"),
        key("hash", "string", "SHA-256 over all other columns"),
    ),
    key=("seq",),
)

VAULT_NUMBERS = Table(
    name="vault_numbers",
    kind=Kind.VAULT,
    grain="one row per number and holder",
    description="The only table with raw numbers, written by ingest of `numbers` where `vault` names a folder.",
    columns=(
        key("number_id", "bigint", "pseudonym of the number alone"),
        key("valid_from", "date", "first local day on which the subscriber holds the number"),
        col("valid_to", "date", "first local day on which nobody or somebody else does; null = still held"),
        key("subscriber_id", "bigint", "pseudonym of number and activation date"),
        key("number", "string", "the number", personal=True),
    ),
    key=("number_id", "valid_from"),
)

PSEUDONYM_ROTATIONS = Table(
    name="pseudonym_rotations",
    kind=Kind.VAULT,
    grain="one row per pseudonym that a change of the key replaced",
    description="Old pseudonym to new one, until the old key is destroyed.",
    columns=(
        key("old_id", "bigint", "pseudonym under the old key", identity=Identity.SUBSCRIBER),
        key("new_id", "bigint", "pseudonym under the new key", identity=Identity.SUBSCRIBER),
        key("old_key", "string", "id of the old key"),
        key("new_key", "string", "id of the new key"),
    ),
    key=("old_key", "old_id"),
)
