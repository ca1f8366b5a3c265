"""Version 0 of a table."""

from __future__ import annotations

import json
import time
import uuid

from visitgrain.runtime.delta_log import READER_VERSION, WRITER_VERSION
from visitgrain.runtime.statistics import statistics_columns
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table


def create(store: Store, table: Table, *, schema_json: str, partition: str | None, run_id: str) -> None:
    """Commit 0 of an empty table: declared schema with NOT NULL, partition, properties, lowest protocol.

    Written as the open protocol describes.
    """
    now = int(time.time() * 1000)
    properties = {
        "delta.enableDeletionVectors": "false",
        "delta.checkpointInterval": "20",  # a log is read from its last checkpoint on
    }
    if columns := statistics_columns(table):
        properties["delta.dataSkippingStatsColumns"] = ",".join(columns)
    actions = [
        {
            "commitInfo": {
                "timestamp": now,
                "operation": "CREATE TABLE",
                "operationParameters": {},
                "userMetadata": run_id,
            }
        },
        {"protocol": {"minReaderVersion": READER_VERSION, "minWriterVersion": WRITER_VERSION}},
        {
            "metaData": {
                "id": str(uuid.uuid4()),
                "name": table.name,
                "description": table.description,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema_json,
                "partitionColumns": [partition] if partition else [],
                "configuration": properties,
                "createdTime": now,
            }
        },
    ]
    store.write_text(f"{table.name}/_delta_log/{0:020}.json", "".join(json.dumps(action) + "\n" for action in actions))
