"""`unstitch`: somebody knows better whose visits these were."""

from __future__ import annotations

import click

from visitgrain.runtime.context import Context


@click.command()
@click.option("--login-event", required=True, help="visits.login_event_id of visits with stitch_method next_login.")
@click.option("--reason", required=True, help="Why, for whoever asks later.")
@click.pass_obj
def unstitch(context: Context, login_event: str, reason: str) -> None:
    """Make the visits that a login claimed anonymous again; the login's own visit keeps its subscriber."""
    from jobs.unstitch_visits import unstitch as take_back

    found = take_back(context, login_event_id=login_event, reason=reason)
    click.echo(
        f"{found.visits} visits from {found.first} to {found.last} are no longer stitched by {login_event}; the next "
        "run of each pipeline brings the days they touch up to date"
    )
