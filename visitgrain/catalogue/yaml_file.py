"""Strict YAML: no duplicate keys, no anchors, no YAML 1.1 surprises; every error says file:line:column.

Used for every file under conf/. `load` reads a mapping, `parse` makes a pydantic model and reports all problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from visitgrain.errors import ConfigError, suggestion

MAX_BYTES = 1_000_000
_BOOL = re.compile(r"^(?:true|false|True|False)$")
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)$")
Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """Base of everything read from YAML: unknown keys are errors, objects are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # PyYAML carries no types
    """SafeLoader with YAML 1.2 scalars: yes/no/on/off, dates, 010 and 12:30 stay text; `true` is a bool.

    libyaml's where it is there: ten times as fast.
    """


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null)?$"), ["~", "n", ""])


def load(path: Path, *, label: str | None = None) -> tuple[dict[str, Any], yaml.Node]:
    """The mapping in `path` and its node tree (for line numbers). Raises ConfigError."""
    name = label or path.name
    if not path.is_file():
        raise ConfigError(f"{name}: file not found; expected it at {path}")
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES} bytes; split it")
    text = path.read_text(encoding="utf-8")
    try:
        events = list(yaml.parse(text, Loader=_Loader))
        aliases = [e for e in events if isinstance(e, yaml.AliasEvent) or getattr(e, "anchor", None)]
        if aliases:
            mark = aliases[0].start_mark
            raise ConfigError(
                f"{name}:{mark.line + 1}:{mark.column + 1}: anchors and aliases are not allowed; write it out"
            )
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{name}:1: expected a mapping (key: value) at the top")
        _refuse_duplicates(node, name)
        return yaml.load(text, Loader=_Loader), node
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise ConfigError(f"{place}: not valid YAML: {getattr(error, 'problem', error)}") from None


def parse(model: type[Model], path: Path, *, label: str | None = None) -> Model:
    """`path` as `model`. Raises ConfigError with one line per problem: place, finding, allowed, suggestion."""
    return parse_with_places(model, path, label=label)[0]


def named_file(folder: Path, name: str, *, setting: str) -> Path:
    """The YAML file of that name. Raises ConfigError with the names there are."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise ConfigError(f"{setting}: no {name!r} in {folder}; there are: {', '.join(names)}{suggestion(name, names)}")
    return folder / f"{name}.yaml"


def parse_with_places(model: type[Model], path: Path, *, label: str | None = None) -> tuple[Model, yaml.Node]:
    """`parse`, and the node tree: `place_of` says where in the file something stands."""
    data, node = load(path, label=label)
    try:
        return model.model_validate(data), node
    except ValidationError as error:
        lines = [_line(label or path.name, node, model, e) for e in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from None


def parse_each(
    model: type[Model], paths: Iterable[Path], *, folder: str, name: str, problems: list[str]
) -> dict[str, tuple[Model, yaml.Node]]:
    """Each of `paths` as `model`, with its node tree, by the stem of the file, which its field `name` repeats.

    What is wrong with a file goes to `problems`, so that all files are looked at; one that is none of the model is
    left out. `folder` is how messages call where the files are.
    """
    found: dict[str, tuple[Model, yaml.Node]] = {}
    for path in paths:
        label = f"{folder}/{path.name}"
        try:
            found[path.stem] = parse_with_places(model, path, label=label)
        except ConfigError as error:
            problems.append(str(error))
            continue
        named = getattr(found[path.stem][0], name)
        if named != path.stem:
            problems.append(f"{label}: {name} {named!r} is not the file's name; make both the same")
    return found


def place_of(node: yaml.Node, loc: tuple[Any, ...], name: str) -> str:
    """file:line:column of the deepest node that `loc` (keys and list indexes) reaches."""
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                continue
            node = found[0] if part == loc[-1] and not isinstance(found[1], yaml.CollectionNode) else found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _refuse_duplicates(node: yaml.Node, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for k, v in node.value:
            if k.value in seen:
                line, column = k.start_mark.line + 1, k.start_mark.column + 1
                raise ConfigError(
                    f"{name}:{line}:{column}: duplicate key {k.value!r}; first seen on line {seen[k.value]}; keep one"
                )
            seen[k.value] = k.start_mark.line + 1
            _refuse_duplicates(v, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, name)


def _line(name: str, node: yaml.Node, model: type[BaseModel], error: Any) -> str:
    loc = tuple(error["loc"])
    path = ".".join(str(part) for part in loc)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        allowed = _fields_at(model, loc[:-1])
        message = f"unknown key; allowed: {', '.join(allowed) or 'none'}{suggestion(str(loc[-1]), allowed)}"
    elif error["type"] != "missing":
        message += f" (found {error['input']!r})" if not isinstance(error["input"], dict | list) else ""
    return f"{place_of(node, loc, name)}: {path}: {message}" if path else f"{name}: {message}"


def _fields_at(model: Any, loc: tuple[Any, ...]) -> list[str]:
    """Field names of the model that `loc` leads to (through dicts, lists and unions), for suggestions."""
    for part in loc:
        if _is_model(model):
            field = model.model_fields.get(str(part))
            model = field.annotation if field else None
        elif get_args(model):  # a key of a mapping, an index of a list
            model = get_args(model)[-1 if get_origin(model) is dict else 0]
        options = [inner for inner in get_args(model) if _is_model(inner)]
        if get_origin(model) in (Union, UnionType) and len(options) == 1:
            model = options[0]
    return list(model.model_fields) if _is_model(model) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
