"""An experiment as plain values in its own order, and the same experiment rebuilt from them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from lab.core.errors import InputError
from lab.core.setting_types import coerce
from lab.experiment.experiment import Experiment, changed_settings
from lab.experiment.fingerprints import canonical
from lab.experiment.registry import classes

KINDS = {
    "source": "source",
    "target": "target",
    "models": "model",
    "groups": "feature group",
    "baselines": "baseline",
}
"""Fields whose classes the registry knows, and their kind there."""

PATHS = ("path", "attributes")
"""Settings of sources that say where files lie: of them only the names are kept."""


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """All settings with their defaults; mappings keep their order, of a log in memory its fingerprint is kept."""
    values = {f.name: plain(getattr(experiment, f.name)) for f in fields(experiment) if f.name != "source"}
    source = experiment.source
    try:
        values["source"] = _without_folders(source)
    except TypeError:
        values["source"] = {"type": type(source).__name__, "fingerprint": source.fingerprint()}
    return values


def plain(value: Any) -> Any:
    """As `fingerprints.canonical`, but that a mapping keeps its order."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return canonical(value)


def experiment_from_settings(settings: Mapping[str, Any], beside: Experiment | None = None) -> Experiment:
    """The experiment that `settings_of` gave; `beside`, of a user's file, knows the classes that do not ship.

    Raises InputError naming the class or setting that is unknown here, or a value of another kind than its setting's.
    """
    hints = get_type_hints(Experiment)
    known = {f.name for f in fields(Experiment)}
    for name in settings:
        if name not in known:
            raise InputError(f"experiment.{name}: no such setting of an experiment in this version.")
    values = {n: _rebuilt(v, hints[n], n, _own(n, beside)) for n, v in settings.items() if n != "source"}
    return Experiment(**values, source=_source(settings["source"], beside))


def _source(said: Mapping[str, Any], beside: Experiment | None) -> Any:
    if "fingerprint" not in said:
        return _rebuilt(said, None, "source", _own("source", beside))
    if beside is None:
        raise InputError(
            f"source: this {said['type']} was made in Python and a pin cannot hold it; name the file with --with FILE, "
            f"or in Python with file=."
        )
    return beside.source


def _own(name: str, beside: Experiment | None) -> dict[str, type]:
    """Class name -> class, for a field: what is registered, and what the user's file uses."""
    if name not in KINDS:
        return {}
    found = {cls.__name__: cls for cls in classes(KINDS[name]).values()}
    value = () if beside is None else getattr(beside, name)
    parts = value if isinstance(value, tuple) else (value,)
    return found | {type(part).__name__: type(part) for part in parts}


def _rebuilt(value: Any, hint: Any, where: str, known: Mapping[str, type]) -> Any:
    """A plain value as the type that its field declares."""
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return _object(value, hint, where, known)
    inner = get_args(hint) or (None,)
    if isinstance(value, dict):
        value = {key: _rebuilt(one, inner[-1], f"{where}.{key}", known) for key, one in value.items()}
    elif isinstance(value, list):
        value = tuple(_rebuilt(one, inner[0], where, known) if isinstance(one, dict) else one for one in value)
    try:
        return coerce(value, hint, f"experiment.{where}")
    except InputError as error:
        raise InputError(f"{error} The pin is damaged or was edited.") from None


def _object(value: Mapping[str, Any], hint: Any, where: str, known: Mapping[str, type]) -> Any:
    near = {cls.__name__: cls for cls in (hint, *get_args(hint)) if isinstance(cls, type) and is_dataclass(cls)}
    cls: Any = (dict(known) | near).get(value["type"])
    if cls is None:
        raise InputError(
            f"{where}: the class {value['type']!r} does not ship with the lab; name the file that defines it "
            f"with --with FILE, or in Python with file=."
        )
    hints = get_type_hints(cls)
    own = {name: one for name, one in value.items() if name != "type"}
    strange = sorted(set(own) - {f.name for f in fields(cls)})
    if strange:
        raise InputError(f"{where}: {value['type']} has no setting {strange[0]!r} in this version.")
    return cls(**{name: _rebuilt(one, hints[name], f"{where}.{name}", {}) for name, one in own.items()})


def flags_of_files(said: Mapping[str, Any]) -> list[str]:
    """What a command must add for a pinned source: `--source.path FOLDER/log.csv`, of which a pin keeps the name alone.

    Nothing for a source that reads no files, or reads them where it does by default.
    """
    if "fingerprint" in said:
        return ["--with", "FILE"]
    cls: Any = {cls.__name__: cls for cls in classes("source").values()}.get(said["type"])
    default = {f.name: f.default for f in fields(cls)} if cls else {}
    flags: list[str] = []
    for name in PATHS:
        value = said.get(name)
        if value and value != default.get(name):
            names = [value] if isinstance(value, str) else value
            flags += [f"--source.{name}", *(f"FOLDER/{one}" for one in names)]
    return flags


def source_as_code(source: Any) -> str:
    """`Table(path='FOLDER/log.csv', user='1')`: a source as Python, with the folders of its files left to be named."""
    paths = {name: _in_a_folder(value) for name in PATHS if (value := getattr(source, name, None))}
    said = ", ".join(f"{name}={value!r}" for name, value in (changed_settings(source) | paths).items())
    return f"{type(source).__name__}({said})"


def _in_a_folder(paths: Any) -> Any:
    one = isinstance(paths, str | Path)
    return f"FOLDER/{Path(paths).name}" if one else tuple(map(_in_a_folder, paths))


def _without_folders(source: Any) -> dict[str, Any]:
    """A source's settings, of a path that is not the class's own default the name alone."""
    default = {f.name: f.default for f in fields(source)}

    def without_folder(name: str, value: Any) -> Any:
        if name not in PATHS or value is None or getattr(source, name) == default[name]:
            return value
        return [Path(one).name for one in value] if isinstance(value, list) else Path(value).name

    return {name: without_folder(name, value) for name, value in plain(source).items()}
