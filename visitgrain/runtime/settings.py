"""Settings of a run: conf/base.yaml < conf/<environment>.yaml < --set, each value with the place it comes from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, create_model

from visitgrain.catalogue.yaml_file import Strict, load, parse, place_of
from visitgrain.errors import ConfigError, suggestion

COMMAND_LINE = "command line"
SPARK = "spark"


class Settings(Strict):
    """Everything a run may be told. Relative paths start where the command is run."""

    lake: str = Field(description="folder or URI that holds all tables")
    zone: str = Field(description="time zone of local days")
    visit_rules: str = Field(description="rules under conf/catalogue/visit_rules")
    churn: str = Field(description="settings of the churn model under conf/catalogue/churn", default="default")
    master: str | None = Field(description="Spark master; null leaves it to spark-submit")
    spark: dict[str, str | bool | int | float] = Field(description="Spark options by their full names")
    jars: str = Field(description="folder of Delta's jars, filled by `make setup`")
    pseudonym_secret_file: str = Field(description="file that holds the key of subscriber pseudonyms, mode 0600")
    late_horizon_days: int = Field(ge=0, description="events received later than this go to late_events", default=3)
    dedup_horizon_days: int = Field(
        ge=1, description="a row of a key that happened longer ago is not compared with", default=30
    )
    lock_wait_s: float = Field(ge=0, description="seconds to wait for a table that another run writes")
    mlflow_uri: str = Field(description="where models are tracked")
    telemetry_file: str | None = Field(description="figures of runs and tables, for Prometheus", default=None)
    lineage_file: str | None = Field(description="OpenLineage events of runs, one per line", default=None)
    vault: str | None = Field(description="folder of raw numbers, 0700; null keeps none", default=None)
    audit_purpose: Literal["optional", "required"] = Field(
        description="must who looks at a subscriber say why?", default="optional"
    )

    @property
    def spark_options(self) -> dict[str, str]:
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in self.spark.items()
        }


# One file, or the command line, may set any part of it.
_OPTIONAL: dict[str, Any] = {name: (field.annotation or Any, None) for name, field in Settings.model_fields.items()}
_Layer: type[Strict] = create_model("Layer", __base__=Strict, **_OPTIONAL)


@dataclass(frozen=True)
class Resolved:
    """The settings, the folder they come from, and 'file:line' or 'command line' for each dotted name."""

    settings: Settings
    conf: Path
    origins: dict[str, str]


def resolve(conf: Path, *, environment: str = "local", overrides: Sequence[str] = ()) -> Resolved:
    """Settings for `environment`. Raises ConfigError, all problems of a file in one message."""
    _require_environment(conf, environment)
    values: dict[str, Any] = {SPARK: {}}
    origins: dict[str, str] = {}
    for name in ("base", environment):
        label = f"conf/{name}.yaml"
        path = conf / f"{name}.yaml"
        layer = parse(_Layer, path, label=label).model_dump(exclude_unset=True)
        _, node = load(path, label=label)
        _merge(values, origins, layer, lambda key, node=node, label=label: _place(node, key, label))
    _merge(values, origins, _command_line(overrides), lambda key: COMMAND_LINE)
    try:
        return Resolved(Settings.model_validate(values), conf, origins)
    except ValidationError as error:
        problems = [f"{_where(e, origins)}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(problems)) from None


@cache
def default_conf() -> Path:
    """conf/ of the checkout or of the installed package; unpacked to a temporary folder when it lies in a zip."""
    beside = Path(__file__).parents[2] / "conf"
    if beside.is_dir():
        return beside
    packaged = resources.files("conf")
    if isinstance(packaged, Path):
        return packaged
    target = Path(tempfile.mkdtemp(prefix="visitgrain-conf-"))
    _unpack(packaged, target)
    return target


def _unpack(folder: Traversable, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir():
            _unpack(entry, target / entry.name)
        else:
            with entry.open("rb") as source, (target / entry.name).open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _require_environment(conf: Path, environment: str) -> None:
    if not (conf / f"{environment}.yaml").is_file():
        known = sorted(
            path.stem for path in conf.glob("*.yaml") if path.stem not in ("base", "simulation", "standalone")
        )
        raise ConfigError(
            f"environment {environment!r}: no file {conf / environment}.yaml; there are "
            f"{', '.join(known) or 'none'}{suggestion(environment, known)}"
        )


def _command_line(overrides: Sequence[str]) -> dict[str, Any]:
    """`key=value` pairs, typed as in YAML. `spark.…` names a Spark option by its full name."""
    layer: dict[str, Any] = {SPARK: {}}
    allowed = list(Settings.model_fields)
    for pair in overrides:
        name, equals, text = pair.partition("=")
        head = name.partition(".")[0]
        if not equals or head not in allowed or (head != SPARK and "." in name) or name == SPARK:
            raise ConfigError(
                f"--set {pair}: expected key=value with a key of {', '.join(allowed)}, or spark.<option>"
                f"{suggestion(name, allowed)}"
            )
        target, key = (layer[SPARK], name) if head == SPARK else (layer, name)
        # pydantic types the text; `null` is the only value that text cannot say
        target[key] = None if text in ("null", "~") else text
    return layer


def _merge(values: dict[str, Any], origins: dict[str, str], layer: Mapping[str, Any], place: Any) -> None:
    for name, value in layer.items():
        if name == SPARK:
            for option, text in (value or {}).items():
                values[SPARK][option] = text
                origins[option] = place((SPARK, option))
        else:
            values[name] = value
            origins[name] = place((name,))


def _place(node: yaml.Node, key: tuple[str, ...], label: str) -> str:
    return place_of(node, key, label).rpartition(":")[0]  # the line is enough


def _where(error: Any, origins: dict[str, str]) -> str:
    if error["type"] == "missing":
        return "conf/base.yaml"
    return origins.get(str(error["loc"][0]), COMMAND_LINE)
