"""Who it really was: anonymous and borrowed devices, outlets, households, numbers that change hands."""

from __future__ import annotations

import numpy as np

from tests.unit.simulation.worlds import within


def test_the_truth_names_everyone_whom_the_log_does_not(busy):
    unnamed = """
        select count(*), count(t.true_subscriber_id) from events e
        left join (select distinct on (event_id) * from true_events) t using (event_id) where e.subscriber_id is null
    """
    [(anonymous, known)] = busy.rows(unnamed)
    assert anonymous == known > 10_000
    assert busy.value("select count(*) from true_events where is_anonymous and is_number_only") == 0


def test_what_the_truth_does_not_mention_is_as_the_log_says(busy):
    """A row without an entry in the truth names a subscriber of this world, on a device with one such subscriber."""
    plain = "(select e.* from events e left join true_events t using (event_id) where t.event_id is null)"
    strangers = f"select count(*) from {plain} where subscriber_id not in (select subscriber_id from true_subscribers)"
    assert busy.value(f"select count(*) from {plain}") > 50_000
    assert busy.value(strangers) == 0
    shared = f"select count(*) from (select device_id from {plain} group by 1 having count(distinct subscriber_id) > 1)"
    assert busy.value(shared) == 0


def test_borrowers_visit_on_the_phone_of_their_neighbour(busy):
    devices = """
        select count(distinct device_id), count(distinct owner.device_id) from
          (select distinct e.device_id from events e join true_events t using (event_id)
           where t.is_borrowed and e.device_id is not null) b
        left join (select distinct device_id from events e anti join true_events t using (event_id)) owner
          using (device_id)
    """
    [(borrowed, owned)] = busy.rows(devices)
    assert borrowed > 50
    assert owned > 0.8 * borrowed  # the other owners do not use the e-channel themselves
    same = """
        select count(*) from numbers b join true_subscribers s using (subscriber_id)
        where s.borrows_phone and household_id in
          (select household_id from numbers where subscriber_id <> b.subscriber_id)
    """
    borrowers = busy.value("select count(*) from true_subscribers where borrows_phone")
    assert busy.value(same) == borrowers > 100


def test_outlets_are_used_by_many(busy, busy_feed):
    per_device = """
        select count(distinct t.true_subscriber_id) from events e join true_events t using (event_id)
        where t.is_kiosk and e.device_id is not null group by e.device_id
    """
    users = [row[0] for row in busy.rows(per_device)]
    assert len(users) == len(busy_feed.world.population.areas)  # 3,000 subscribers are one catchment
    assert min(users) > 5


def test_a_number_has_one_holder_at_a_time_and_rests_between_two(busy, busy_feed):
    quarantine = busy_feed.world.numbers.quarantine_days
    rests = """
        select valid_from - lag(valid_to) over (partition by number_id order by valid_from) as rest from numbers
    """
    assert busy.value(f"select min(rest) from ({rests})") >= quarantine
    open_before = """
        select count(*) from numbers a join numbers b using (number_id)
        where a.valid_from < b.valid_from and a.valid_to is null
    """
    assert busy.value(open_before) == 0
    assert busy.value("select count(*) from numbers where valid_to <= valid_from") == 0


def test_recycled_numbers_pass_from_one_subscriber_of_this_world_to_another(busy, busy_feed):
    n = busy_feed.subscribers // 2
    handed = busy.value("select count(*) from true_subscribers where hands_number_over")
    assert within(handed / n, busy_feed.world.numbers.recycled_share, n)
    pairs = """
        select count(*) from numbers a join numbers b using (number_id)
        join true_subscribers s on s.subscriber_id = a.subscriber_id
        join true_subscribers t on t.subscriber_id = b.subscriber_id
        where s.hands_number_over and t.takes_number_over and a.valid_to < b.valid_from
          and a.household_id <> b.household_id
    """
    assert busy.value(pairs) == busy.value("select count(*) from true_subscribers where takes_number_over") > 10
    former = "select count(*) from numbers where subscriber_id not in (select subscriber_id from true_subscribers)"
    held = busy.value("select count(*) from true_subscribers where not takes_number_over")
    assert within(busy.value(former) / held, busy_feed.world.numbers.former_holder_share, held)


def test_families_share_a_household_and_nobody_else_does(busy, busy_feed):
    """Four neighbours, fewer where a recycled number stands between them; or two who share a phone."""
    people = busy_feed.part(0).people
    together = people.household_id[:-1:4], people.household_id[3::4]
    plain = ~(people.hands_over | people.takes_over)
    both_plain = plain[:-1:4] & plain[3::4]
    same = (together[0] == together[1])[both_plain]
    assert within(same.mean(), busy_feed.world.population.family_share, len(same))
    found, group = np.unique(people.household_id, return_inverse=True)
    first, last = (at(people.index, group, len(found)) for at in (_first_of, _last_of))
    assert (last // 4 == first // 4).all()
    recycled = np.flatnonzero(~plain)
    assert (np.bincount(group)[group[recycled]] == 1).all()


def test_who_held_the_number_that_day_is_who_it_was(busy):
    """Web visits that log the number: its valid intervals alone lead to the true subscriber, also for recycled ones."""
    by_number = """
        (select e.event_time, e.subscriber_id as number_id, t.true_subscriber_id
         from events e join true_events t
           on t.event_id = e.event_id and t.received_time = e.received_time and t.day = e.delivered
         where t.is_number_only and year(e.event_time) = 2025)
    """
    # A visit may go on past the midnight on which the number is given back.
    held = "(e.event_time - interval 12 hour)::date between n.valid_from - 1 and coalesce(n.valid_to - 1, '9999-01-01')"
    resolved = f"""
        select count(*), count(*) filter (n.subscriber_id = e.true_subscriber_id),
               count(distinct n.number_id) filter (s.takes_number_over)
        from {by_number} e join numbers n on n.number_id = e.number_id and {held}
        join true_subscribers s on s.subscriber_id = n.subscriber_id
    """
    [(joined, right, recycled)] = busy.rows(resolved)
    assert joined == right == busy.value(f"select count(*) from {by_number}") > 1000
    assert recycled > 0


def _first_of(index: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    first = np.full(groups, len(index))
    np.minimum.at(first, group, index)
    return first


def _last_of(index: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    last = np.zeros(groups, np.int64)
    np.maximum.at(last, group, index)
    return last
