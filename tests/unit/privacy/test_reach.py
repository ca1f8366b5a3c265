"""Every table that can hold a person is reached by erasure: derived from the declarations, so a new one is, too."""

from __future__ import annotations

from visitgrain.runtime.erasing import reached
from visitgrain.tables import TABLES, Kind
from visitgrain.tables.model import Identity

REACHED = {table.name for table in reached()}


def test_whatever_holds_a_pseudonym_is_reached():
    """A column that says that it is a pseudonym, a subscriber or personal, under whatever name."""
    for table in TABLES.values():
        if table.kind is Kind.VAULT:
            continue
        for column in table.columns:
            of_person = column.type in ("bigint", "string") and (
                column.name == "subscriber_id" or column.description.startswith(("pseudonym", "subscriber_id"))
            )
            if of_person:
                assert column.identity, f"{table.name}.{column.name} stands for somebody: declare its identity"
            if of_person or column.personal:
                assert table.name in REACHED, table.name


def test_aggregates_are_not():
    assert not {"population_metrics", "segment_profiles", "churn_portraits", "run_ledger", "erasure_proofs"} & REACHED


def test_an_owner_is_a_subscriber_in_some_rows_only():
    [column] = TABLES["time_preferences"].identities
    assert (column.identity, column.identity_where) == (Identity.SUBSCRIBER, ("owner_type", "subscriber"))
