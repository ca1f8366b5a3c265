"""conf/simulation.yaml: what it says is checked when it is read, with the place and what is allowed."""

from __future__ import annotations

import pytest

from visitgrain.errors import ConfigError
from visitgrain.simulation.world import WORLD_FILE, load_world


@pytest.fixture
def changed(tmp_path):
    """The message after one text of the shipped file is replaced by another."""

    def message(old: str, new: str) -> str:
        text = WORLD_FILE.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "simulation.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_world(path)
        return str(caught.value)

    return message


def test_shipped_world_makes_wednesdays_and_mornings_strongest():
    rhythm = load_world().rhythm
    monday_first = list(rhythm.weekdays)
    assert monday_first.index(max(monday_first)) == 2  # Monday 0, Tuesday 1, Wednesday 2
    assert 8 <= rhythm.hours.index(max(rhythm.hours)) <= 11


def test_offers_of_a_business_share_its_weight():
    world = load_world()
    weights = world.offer_weights(world.scripts["buy"])
    by_business: dict[str, float] = {}
    for (business, _), weight in zip(world.offers, weights, strict=True):
        by_business[business] = by_business.get(business, 0.0) + weight
    expected = {**dict.fromkeys(by_business, 0.0), **world.scripts["buy"].business}
    assert by_business == pytest.approx(expected)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wechat: 0.19", "wechta: 0.19", "unknown name 'wechta'; allowed: app, web, wechat"),
        ("e_channel_share: 0.45", "e_channel_share: 45", "population.e_channel_share: Input should be less than"),
        ("too_late: 0.0005", "to_late: 0.0005", "did you mean 'too_late'?"),
        ("{event: login, page: login}", "{event: query, page: login}", "exactly one step must be a login"),
        ("business: {topup: 1}", "business: {topups: 1}", "unknown business 'topups'"),
        ("prop: load_ms, between: [200, 2500]", "prop: load_ms", "a prop needs either `value` or `between`"),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(changed, old, new, said):
    assert said in changed(old, new)
