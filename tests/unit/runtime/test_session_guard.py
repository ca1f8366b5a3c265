"""F6: a session without the safe settings is refused, and the message says which."""

from __future__ import annotations

import pytest

from visitgrain.errors import ConfigError
from visitgrain.runtime.session import REDACTION, SAFE, ZONE, assert_safe

NEEDED = {**SAFE, ZONE: "Asia/Shanghai"}
CHECKSUM_RETRY = "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch"


def test_the_safe_settings_pass():
    assert_safe(NEEDED.get, NEEDED)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("spark.sql.ansi.enabled", "false", "spark.sql.ansi.enabled is false, needed is true"),
        ("spark.sql.runSQLOnFiles", None, "spark.sql.runSQLOnFiles is not set, needed is false"),
        ("spark.sql.files.ignoreCorruptFiles", "true", "ignoreCorruptFiles is true, needed is false"),
        (CHECKSUM_RETRY, "false", f"{CHECKSUM_RETRY} is false, needed is true"),
        (ZONE, "UTC", f"{ZONE} is UTC, needed is Asia/Shanghai"),
        (REDACTION, "(?i)secret|password", "would show the values of spark.hadoop.fs.s3a.access.key"),
    ],
)
def test_f06_another_setting_is_refused(name, value, message):
    with pytest.raises(ConfigError, match="not safe to compute with") as refused:
        assert_safe({**NEEDED, name: value}.get, NEEDED)
    assert message in str(refused.value)
