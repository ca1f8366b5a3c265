"""Planned visits: when a subscriber comes, how, on which device, and what the visit is about."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.simulation.chance import between, choose, choose_index, hashed, normal, poisson, uniform
from visitgrain.simulation.subscribers import person_of, subscriber_id_of
from visitgrain.simulation.world import World

PUSH_SLOT = 100  # slots of a day: 1.. visits, 101 a push receipt, 201 a bot
BOT_SLOT = 200
SECOND = 1_000_000  # microseconds
DEVICE_OS = {"android": 0.62, "ios": 0.28, "harmony": 0.10}
DESKTOP_OS = {"windows": 0.85, "macos": 0.15}


def to_planned_visits(subscribers: DataFrame, *, world: World, start: date, end: date, seed: int) -> DataFrame:
    """One row per planned visit, push receipt or bot run, keyed by `visit` (a hash, not the suite's visit id)."""
    slots = _to_slots(subscribers, world=world, start=start, end=end)
    kinds = slots.select("*", *_kind(world))
    placed = kinds.select("*", *_place(world))
    devices = placed.select("*", *_device(world, seed))
    return devices.select("*", *_course(world, seed))


def _to_slots(subscribers: DataFrame, *, world: World, start: date, end: date) -> DataFrame:
    """One row per subscriber, day and slot."""
    population = world.population
    present = subscribers.filter(F.col("uses_e_channel") | F.col("has_bot"))
    first = F.greatest(F.lit(start), F.col("activation_date"))
    last = F.least(F.lit(end), F.date_sub("silent_from", 1))
    spans = present.select("*", first.alias("first"), last.alias("last")).filter(F.col("first") <= F.col("last"))
    days = spans.select("*", F.explode(F.sequence("first", "last")).alias("day"))
    weekdays = [weight * 7 / sum(world.rhythm.weekdays) for weight in world.rhythm.weekdays]
    weekday_weight = F.element_at(F.array(*map(F.lit, weekdays)), F.weekday("day") + F.lit(1))
    keyed = days.select(
        "*",
        F.xxhash64("person", F.unix_date("day")).alias("today"),
        (F.col("visit_rate") * weekday_weight).alias("rate"),
    )
    most, today = population.visits_per_day_most, F.col("today")
    # The cheap question first, whether anything happens at all: it drops four days in five before any count is made.
    draw = uniform(today, "visits")
    comes = F.col("uses_e_channel") & (draw >= F.exp(-F.col("rate")))
    pushed = F.col("uses_e_channel") & (uniform(today, "push") < population.pushes_per_day)
    bot_runs = F.col("has_bot") & (uniform(today, "bot") < population.bot_day_share)
    busy = keyed.filter(comes | pushed | bot_runs)
    visits = F.when(F.col("uses_e_channel"), poisson(draw, F.col("rate"), most=most)).otherwise(F.lit(0))
    counted = busy.select(
        "*", visits.alias("visits"), pushed.cast("int").alias("pushes"), bot_runs.cast("int").alias("bot_runs")
    )
    slots = F.concat(
        F.slice(F.array(*(F.lit(n) for n in range(1, most + 1))), F.lit(1), F.col("visits")),
        F.slice(F.array(F.lit(PUSH_SLOT + 1)), F.lit(1), F.col("pushes")),
        F.slice(F.array(F.lit(BOT_SLOT + 1)), F.lit(1), F.col("bot_runs")),
    )
    return counted.select("*", F.explode(slots).alias("slot")).select("*", F.xxhash64("today", "slot").alias("visit"))


def _kind(world: World) -> list[Column]:
    """Kind of the slot and what it is about."""
    visit, slot = F.col("visit"), F.col("slot")
    drawn = choose(uniform(visit, "kind"), {name: script.weight for name, script in world.scripts.items()})
    kind = F.when(slot > BOT_SLOT, F.lit("bot")).when(slot > PUSH_SLOT, F.lit("push")).otherwise(drawn)
    offer_no = F.lit(0)
    for name, script in world.scripts.items():
        offer = choose_index(uniform(visit, "offer"), world.offer_weights(script))
        offer_no = F.when(drawn == name, offer).otherwise(offer_no)
    return [kind.alias("kind"), offer_no.alias("offer_no")]


def _place(world: World) -> list[Column]:
    """Channel, and whether the device is the subscriber's own."""
    visit, population = F.col("visit"), world.population
    is_visit = F.col("slot") < PUSH_SLOT
    at_kiosk = is_visit & (uniform(visit, "kiosk") < population.kiosk_visit_share)
    channel = (
        F.when(F.col("kind") == "bot", F.lit("web"))
        .when(F.col("kind") == "push", F.lit("app"))
        .when(at_kiosk, F.lit("web"))
        .otherwise(choose(uniform(visit, "channel"), world.channels))
    )
    borrower = (F.col("index") % 2 == 1) & (uniform(F.col("person"), "borrower") < population.shared_device_share * 2)
    borrows = is_visit & borrower & (channel == "app") & (uniform(visit, "borrows") < population.borrowed_visit_share)
    return [channel.alias("channel"), at_kiosk.alias("at_kiosk"), borrows.alias("borrows")]


def _device(world: World, seed: int) -> list[Column]:
    """Device, operating system, and how the visit begins. A browser loses its cookie every month."""
    visit, person = F.col("visit"), F.col("person")
    has_second = uniform(person, "second") < world.population.second_device_share
    device_no = (has_second & (uniform(visit, "device") < 0.3) & (F.col("slot") < PUSH_SLOT)).cast("int")
    owner = F.when(F.col("borrows"), person_of(F.col("index") - F.lit(1), seed)).otherwise(person)
    cookie = hashed(person, F.trunc("day", "month").cast("string"), "cookie")
    device = (
        F.when(F.col("kind") == "bot", hashed(person, "bot device"))
        .when(F.col("at_kiosk"), hashed(F.col("area_code"), F.lit(seed), "kiosk"))
        .when(F.col("channel") == "web", cookie)
        .when(F.col("channel") == "wechat", hashed(person, "wechat"))
        .otherwise(hashed(owner, F.when(F.col("borrows"), F.lit(0)).otherwise(device_no), "phone"))
    )
    login = (
        F.when(F.col("kind") == "bot", F.lit("anonymous"))
        .when(F.col("kind") == "push", F.lit("remembered"))
        .when(F.col("at_kiosk") | F.col("borrows"), F.lit("login"))
        .otherwise(choose(uniform(visit, "login"), world.logins))
    )
    return [device.alias("device"), login.alias("login")]


def _course(world: World, seed: int) -> list[Column]:
    """Start, pace and the other draws that hold for the whole visit."""
    visit, person = F.col("visit"), F.col("person")
    hour = choose_index(uniform(visit, "hour"), world.rhythm.hours)
    seconds = (hour + uniform(visit, "minute")) * F.lit(3600.0)
    source = F.when(F.col("slot") < PUSH_SLOT, choose(uniform(visit, "source"), world.sources))
    not_own = F.col("at_kiosk") | F.col("borrows")
    logout_share = F.when(not_own, F.lit(world.borrowed_logout_share)).otherwise(F.lit(world.logout_share))
    pauses = uniform(visit, "pauses") < world.pause_share
    sharer = F.floor(F.col("index") * uniform(visit, "sharer"))
    web_os = choose(uniform(person, "desktop"), DESKTOP_OS)
    phone_os = choose(uniform(F.col("device"), "os"), DEVICE_OS)
    return [
        (F.unix_micros(F.col("day").cast("timestamp")) + (seconds * F.lit(SECOND)).cast("bigint")).alias("start_us"),
        F.exp(F.lit(0.5) * normal(visit, "pace")).alias("pace"),
        source.alias("source_channel"),
        ((uniform(visit, "logs_out") < logout_share) & (F.col("login") != "anonymous")).alias("logs_out"),
        F.when(pauses, between(uniform(visit, "pause"), F.lit(1200), F.lit(2400))).otherwise(F.lit(0)).alias("pause_s"),
        F.when(source == "share", subscriber_id_of(sharer, seed)).alias("sharer_id"),
        F.when(F.col("channel") == "web", web_os).otherwise(phone_os).alias("os"),
        F.when(F.col("channel") == "app", _app_version(world)).alias("app_version"),
    ]


def _app_version(world: World) -> Column:
    """The newest release that is older than the subscriber's habit of updating."""
    lag = between(uniform(F.col("person"), "update"), F.lit(0), F.lit(30)).cast("int")
    known = F.date_sub(F.col("day"), lag)
    version = F.lit(None).cast("string")
    for name, released in sorted(world.releases.items(), key=lambda release: release[1]):
        version = F.when(known >= F.lit(released), F.lit(name)).otherwise(version)
    return version
