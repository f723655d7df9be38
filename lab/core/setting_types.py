"""What holds of any setting: it is of the kind that its annotation says, and a list names nothing twice."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import check_numbers

PLAIN_TYPES: dict[Any, tuple[Any, str]] = {
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a text"),
    NoneType: (NoneType, "None"),
}
"""Annotation -> what fits it, and what that is called."""

EXAMPLES = {
    "Source": "Table(path='log.csv')",
    "Target": "Interest()",
    "Model": "LSTM()",
    "FeatureGroup": "Habit()",
    "Baseline": "DecayedPersonal()",
}
"""Classes of which only subclasses are of use, and one of each."""

LONGEST_SHOWN = 60
"""Letters of a value that a message shows whole."""


@not_fingerprinted
def check_types(settings: Any, where: str = "") -> None:
    """Raise InputError for the first field of a dataclass whose value is of another kind than its annotation says.

    A list where a tuple is meant becomes one; 2 is 2.0 where any number is meant, and 2.0 is 2 where a whole one is. A
    field's own default is not questioned, nor what is annotated by anything but int, float, bool, str, None, Literal,
    tuples, mappings, dataclasses and unions of these. Numbers lie within the limits that the class states
    (`lab.core.number_limits`).
    """
    hints = _hints(type(settings))
    for f in fields(settings):
        value = getattr(settings, f.name, f.default)
        if value is not f.default and f.name in hints:
            kept = coerce(value, hints[f.name], f"{where}.{f.name}".removeprefix("."))
            if kept is not value:
                object.__setattr__(settings, f.name, kept)
    check_numbers(settings, where)


@not_fingerprinted
def check_distinct(values: Iterable[str], where: str) -> None:
    """Raise InputError naming `where` and what stands there twice."""
    twice = sorted(value for value, times in Counter(values).items() if times > 1)
    if twice:
        raise InputError(f"{where}: {', '.join(twice)} {'stands' if len(twice) == 1 else 'stand'} there twice.")


@cache
def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except NameError:  # a user's annotation by what is imported for type checkers alone
        return {}


def coerce(value: Any, hint: Any, where: str) -> Any:
    """The value as an annotation has it. Raises InputError naming `where`, the value, and what would be right."""
    kinds = _alternatives(hint)
    fitting = [one for one in kinds if _is_of_type(value, one)]
    if not fitting:
        raise InputError(f"{where}: {_value_text(value)} {_complaint(value, kinds)}.")
    kind = next((one for one in fitting if type(value) is one), fitting[0])
    if _is_settings(value):
        check_types(value, where)
    elif isinstance(value, Mapping) and get_args(kind):
        return _mapping(value, get_args(kind), where)
    elif (get_origin(kind) or kind) is tuple:
        return _tuple(value, get_args(kind), where)
    elif kind is int and isinstance(value, float):
        return int(value)
    elif kind is float and type(value) is int:
        return float(value)
    return value


def _mapping(value: Mapping[Any, Any], inner: tuple[Any, ...], where: str) -> Mapping[Any, Any]:
    """Itself where nothing in it changes, so that a mapping of the user's own class stays one."""
    kept = {coerce(key, inner[0], where): coerce(one, inner[1], f"{where}.{key}") for key, one in value.items()}
    return value if all(kept.get(key) is one for key, one in value.items()) else kept


def _tuple(value: Iterable[Any], inner: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if inner[1:] != (...,):  # no kind is stated, or one for each place
        return tuple(value)
    return tuple(coerce(part, inner[0], _inside(part, where)) for part in value)


def _inside(part: Any, where: str) -> str:
    """Of several settings which one it is, `groups.habit`; of plain values the field alone."""
    name = getattr(part, "name", type(part).__name__)
    return f"{where}.{name}" if _is_settings(part) else where


def _is_settings(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_of_type(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, whatever is inside it; of a kind that is not known here, everything is."""
    origin = get_origin(kind) or kind
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in get_args(kind))
    if origin in PLAIN_TYPES:
        whole = origin is int and isinstance(value, float) and value.is_integer()
        return (isinstance(value, PLAIN_TYPES[origin][0]) or whole) and (origin is bool) == isinstance(value, bool)
    if origin is tuple:
        return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Set)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping)
    return origin not in _settings_classes([kind]) or isinstance(value, origin)


def _complaint(value: Any, kinds: Iterable[Any]) -> str:
    """What is wrong with a value, and what would be right."""
    parts = [get_args(kind)[0] for kind in kinds if get_origin(kind) is tuple]
    if isinstance(value, type) and issubclass(value, tuple(_settings_classes([*kinds, *parts]))):
        return f"is a class; write {value.__name__}()"
    said = f"is not {' or '.join(map(_type_text, kinds))}"
    if any(_is_of_type(value, part) for part in parts):
        return f"{said}; write ({_value_text(value)},)"
    meant = str in kinds and isinstance(value, int | PurePath) and not isinstance(value, bool)
    return f"{said}; write {str(value)!r}" if meant else said


def _settings_classes(kinds: Iterable[Any]) -> list[type]:
    """Those that are classes of settings."""
    return [one for one in kinds if isinstance(one, type) and is_dataclass(one)]


def _type_text(kind: Any) -> str:
    """`a whole number`, `a list of numbers`, `'time' or 'rows'`, `a Model, such as LSTM()`, `Timeline(...)`."""
    origin = get_origin(kind) or kind
    if origin is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if origin is tuple:
        inner = get_args(kind)[0]
        return f"a list of {PLAIN_TYPES[inner][1].removeprefix('a ') if inner in PLAIN_TYPES else inner.__name__}s"
    if origin in (dict, Mapping):
        return "a mapping {name: ...}"
    if origin in PLAIN_TYPES:
        return PLAIN_TYPES[origin][1]
    name = origin.__name__
    return f"a {name}, such as {EXAMPLES[name]}" if name in EXAMPLES else f"{name}(...)"


def _value_text(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{type(value).__name__}(...)"
