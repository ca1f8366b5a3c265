"""conf/simulation.yaml: what it says is checked when it is read, with the place and what is allowed."""

from __future__ import annotations

import pytest

from visitgrain.errors import ConfigError
from visitgrain.simulation.world import WORLD_FILE, load_world


@pytest.fixture(scope="module")
def shipped():
    return load_world()


@pytest.fixture
def changed(tmp_path):
    """The message after texts of the shipped file are replaced by others."""

    def message(*replaced: tuple[str, str]) -> str:
        text = WORLD_FILE.read_text(encoding="utf-8")
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "simulation.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_world(path)
        return str(caught.value)

    return message


def test_shipped_world_makes_wednesdays_and_mornings_strongest(shipped):
    rhythm = shipped.rhythm
    monday_first = list(rhythm.weekdays)
    assert monday_first.index(max(monday_first)) == 2  # Monday 0, Tuesday 1, Wednesday 2
    assert 8 <= rhythm.hours.index(max(rhythm.hours)) <= 11


def test_offers_of_a_business_share_its_weight(shipped):
    world = shipped
    weights = world.offer_weights(world.scripts["buy"])
    by_business: dict[str, float] = {}
    for (business, _), weight in zip(world.offers, weights, strict=True):
        by_business[business] = by_business.get(business, 0.0) + weight
    # Products that only a campaign sells are nobody's choice.
    assert all(weight == 0 for weight, (_, p) in zip(weights, world.offers, strict=True) if p and p.campaign_only)
    expected = {**dict.fromkeys(by_business, 0.0), **world.scripts["buy"].business}
    assert by_business == pytest.approx(expected)


# Old text, new text, what is said; all in one message.
MISTAKES = [
    ("e_channel_share: 0.45", "e_channel_share: 45", "population.e_channel_share: Input should be less than"),
    ("too_late: 0.0005", "to_late: 0.0005", "did you mean 'too_late'?"),
    ("{event: login, page: login}", "{event: query, page: login}", "exactly one step must be a login"),
    ("business: {topup: 1}", "business: {topups: 1}", "unknown business 'topups'"),
    ("prop: load_ms, between: [150, 3000]", "prop: load_ms", "a prop needs either `value` or `between`"),
    ("placement: home_cards", "placement: home_cards, touchpoint: x", "an impression without prop and touchpoint"),
    ("attraction: {data_10g: 0.10,", "attraction: {data_10g: 1.10,", "placements.home_cards.attraction.data_10g"),
    ("senior: {treatment: 0.4,", "seniors: {treatment: 0.4,", "campaigns.night_pack.groups.seniors"),
    (
        "window_days: 10",
        "windows_days: 10",
        "campaigns.night_pack.windows_days: unknown key; allowed: product, channel",
    ),
    ("orders: 0.02, uplift: -0.015", "orders: 0.02, uplift: -0.05", "orders + uplift is -0.03; allowed: 0 to 1"),
    ("uplift: 0.10}", "up_lift: 0.10}", "did you mean 'uplift'?"),
    ('first: "10-01"', 'first: "1 Oct"', "'1 Oct' is no day; allowed: DD (of every month), MM-DD"),
    ('first: "06-16"', 'first: "06-19"', "must be written alike, the earlier one first"),
    ("circle: 64", "circle: 60", "60 does not divide 1024"),
    ("pace_s: 14", "pace: 14", "did you mean 'pace_s'?"),
    ("step_no: 1}", "stepno: 1}", "did you mean 'step_no'?"),
    ("crash_share: 0.25", "crash_shares: 0.25", "did you mean 'crash_share'?"),
]


def test_all_mistakes_of_a_file_are_named_with_what_is_allowed(changed):
    message = changed(*((old, new) for old, new, _ in MISTAKES))
    assert [said for _, _, said in MISTAKES if said not in message] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wechat: 0.19", "wechta: 0.19", "channels: unknown name 'wechta'; allowed: app, web, wechat"),
        ("push: 0.14, sms", "share: 0.14, sms", "sources: unknown name 'share'"),
        ("product: data_night", "product: data_nihgt", "did you mean 'data_night'?"),
        ("product: data_night", "product: data_10g", "'data_10g' must be `campaign_only: true`"),
        (
            "placement: offers_list",
            "placement: offer_list",
            "scripts.browse: unknown name 'offer_list'; allowed: offers_list",
        ),
        ("scripts: {buy: 1.8}", "scripts: {by: 1.8}", "seasons.june_festival.scripts: unknown name 'by'"),
        ("[0.95, 0.70, 0.50]", "[1, 1, 1, 1, 1]", "4 products for 5 positions"),
        ("  late: 0.01 ", "  late: 1.0 ", "late + too_late + out_of_order is 1.0045; allowed: 1 at most"),
    ],
)
def test_names_and_sums_must_fit_together(changed, old, new, said):
    assert said in changed((old, new))
