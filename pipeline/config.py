"""The configuration: one YAML file, validated. What to do; where to run is Beam's own options, passed through."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import xxhash
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.config_feeds import Feeds
from schemas.errors import UsageError
from schemas.units import Bytes
from transforms.annotate import DEFAULT_LABELS
from transforms.files import store_at
from transforms.formats.fields import MAPPABLE
from transforms.names import DEFAULT_MODELS
from transforms.near import Rules
from transforms.own_columns import Kind, OwnColumns
from transforms.taxonomy import IPTC
from transforms.topics import LANGUAGES, THRESHOLD, Filing, filing, is_function

RUNNERS = ("DirectRunner", "PrismRunner", "FlinkRunner", "PortableRunner", "SparkRunner", "DataflowRunner")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Batch(_Section):
    bytes: Bytes = Field(
        32_000_000, gt=0, description="Unpacked bytes of input in one batch: what is in memory, and lost by a kill."
    )


class Watch(_Section):
    interval: float = Field(2.0, gt=0, description="Seconds between two looks for what is new.")
    quiet: float = Field(2.0, ge=0, description="Seconds without a change after which a file is taken for whole.")
    commit_every: float = Field(
        5.0, ge=0, description="Least seconds between two commits, unless a whole batch waits: fewer, larger files."
    )


class Names(_Section):
    labels: tuple[str, ...] = Field(DEFAULT_LABELS, description="The kinds of names that are kept.")
    gazetteer: str | None = Field(
        None, description="Your own names: a JSONL file of spaCy EntityRuler patterns, relative to `root`; they win."
    )


class OwnFunction(_Section):
    """A function of the user's, and the columns that it fills."""

    function: str = Field(pattern=r"^[\w.]+:\w+$")
    columns: Mapping[Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,60}$")], Kind] = Field(min_length=1)


class Dedup(_Section):
    mode: Literal["near", "exact", "off"] = Field(
        "near",
        description="Copies that are recognised: near (cut, edited, other headline), exact (the same words) or off.",
    )
    look_back: int = Field(30, ge=0, description="Days between the dates of two articles that may be near copies.")
    jaccard: float = Field(
        0.4, gt=0, le=1, description="Near copies: from this part of all three-word runs of both texts in common, ..."
    )
    containment: float = Field(0.6, gt=0, le=1, description="... or this part of the shorter text's, ...")
    edit_ratio: float = Field(
        0.75, gt=0, le=1, description="... or this likeness letter by letter, if a fifth of the runs is common, ..."
    )
    same_words: float = Field(
        0.9, gt=0, le=1, description="... or, likewise, this part of the different words of one of them, ..."
    )
    same_figures: float = Field(
        0.75, gt=0, le=1, description="... or of its figures of three digits and more, if four are common."
    )

    def rules(self) -> Rules:
        return Rules(**self.model_dump())


class Dates(_Section):
    file_name: str | None = Field(
        None, description="How a date stands in the inputs' names, such as `%Y/%m/%d`; used where nothing else says it."
    )

    @field_validator("file_name")
    @classmethod
    def _names_a_day(cls, value: str | None) -> str | None:
        parts = sorted(re.findall("%.?", value or ""))
        if value and parts not in (["%Y", "%d", "%m"], ["%d", "%m", "%y"]):
            raise ValueError("the pattern needs %Y (or %y), %m and %d, each once, and no other %")
        return value


class Topics(_Section):
    taxonomy: str = Field("", description="A YAML file with topics of your own, relative to `root`; IPTC's 17 else.")
    model: str = Field(
        "",
        description="What tells topics from texts: a file made by `newsbeam topics train`, relative to `root`, or a "
        "function as module:function; the model that ships else.",
    )
    threshold: float = Field(
        THRESHOLD, ge=0, le=1, description="An article stays unclassified if its best score is below."
    )
    languages: tuple[str, ...] = Field(
        LANGUAGES, description="The languages that the model reads; [] for all. Others go by the publisher's section."
    )


class Config(_Section):
    """What a run does."""

    input: tuple[str, ...] = Field(
        (),
        description="Files, folders, globs and addresses (s3://…), relative to `root`; addresses of feeds, and OPML "
        "files that list them.",
    )
    root: str = Field(
        "", description="The folder that names of inputs are relative to; the configuration's own by default."
    )
    output: str = Field("", description="The folder of the warehouse, relative to `root`; or s3://BUCKET/FOLDER.")
    columns: Mapping[str, str] = Field(
        {}, description="Field of an article: the input's name for it, with dots for nesting (`source: meta.site`)."
    )
    models: Mapping[str, str | None] = Field(
        DEFAULT_MODELS,
        description="Language: the spaCy package or path that finds its names; null for none. Added to the default.",
    )
    names: Names = Names()
    dates: Dates = Dates()
    topics: Topics = Topics()
    transforms: tuple[OwnFunction, ...] = Field(
        (),
        description="Your own columns: each a `function` (`module:function`, installed or below `root`) and its "
        "`columns` (name: text, integer, number or boolean).",
    )
    batch: Batch = Batch()
    watch: Watch = Watch()
    dedup: Dedup = Dedup()
    feeds: Feeds = Feeds()
    max_dead_letters: int | None = Field(None, ge=0, description="More dead letters than this in a run: exit status 3.")
    runner: str = Field(
        "DirectRunner", description="Where to run: Beam's name of a runner. DirectRunner is this machine."
    )
    workers: int | None = Field(
        None, gt=0, description="Worker processes of the DirectRunner; one per core by default."
    )

    worker_timeout: float = Field(
        60.0, gt=0, description="Seconds in which a worker of another engine must have answered at first."
    )

    @field_validator("input", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("models", mode="before")
    @classmethod
    def _beside_the_default(cls, value: object) -> object:
        return {**DEFAULT_MODELS, **value} if isinstance(value, Mapping) else value

    @field_validator("columns")
    @classmethod
    def _known_fields(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name in value:
            if name not in MAPPABLE:
                raise ValueError(f"no field is named {name!r}{_nearest(name, sorted(MAPPABLE))}")
        return value

    @field_validator("runner")
    @classmethod
    def _known_runner(cls, value: str) -> str:
        if value not in RUNNERS:
            raise ValueError(f"known are {', '.join(RUNNERS)}, not {value}")
        return value

    def filing(self) -> Filing:
        """How articles are filed under topics. Raises UsageError or WorldError if that cannot be loaded."""
        return filing(self.taxonomy_path(), self.model_path(), self.topics.threshold, self.topics.languages)

    def taxonomy_path(self) -> str:
        """The whole path of the topics' file."""
        return str(_below(self.root, self.topics.taxonomy)) if self.topics.taxonomy else IPTC

    def model_path(self) -> str:
        """The whole path of the topics' model, or its function as it is; empty for the one that ships."""
        model = self.topics.model
        return model if not model or is_function(model) else str(_below(self.root, model))

    @field_validator("transforms")
    @classmethod
    def _columns_once(cls, value: tuple[OwnFunction, ...]) -> tuple[OwnFunction, ...]:
        names = [name for one in value for name in one.columns]
        if doubled := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two functions fill the column {doubled[0]!r}")
        return value

    def own_columns(self) -> list[OwnColumns]:
        """The user's functions, as the step wants them."""
        return [OwnColumns(one.function, tuple(one.columns.items())) for one in self.transforms]

    def hash(self) -> str:
        """Of what shapes the rows, without paths: equal hashes, equal treatment."""
        shaping = self.model_dump(
            mode="json", include={"columns", "models", "names", "dates", "topics", "transforms", "dedup"}
        )
        if path := self.names.gazetteer:
            shaping["names"]["gazetteer"] = xxhash.xxh3_64_hexdigest(Path(path).read_bytes())
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode(shaping, order="sorted"))


def load_config(path: str | None, changes: Mapping[str, Any]) -> Config:
    """The configuration of a file with changes from the command line; both checked.

    Raises UsageError, which names the file, the line, what is wrong, and the nearest known key.
    """
    text = _read(path) if path else ""
    values = _parse(path or "", text)
    folder = _folder(path) if path else os.getcwd()
    for key, value in changes.items():
        _put(values, key, value)
    values["root"] = _below(folder, values.get("root", ""))
    if values.get("output"):
        values["output"] = _below(values["root"], values["output"])
    if isinstance(values.get("names"), dict) and values["names"].get("gazetteer"):
        values["names"]["gazetteer"] = _below(values["root"], values["names"]["gazetteer"])
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise UsageError("\n".join(_explained(error, path, text))) from None
    _check_on_disk(config)
    return config


def _check_on_disk(config: Config) -> None:
    """Raises UsageError for a file in an object store that is only read from a disk."""
    lists = [name for name in config.input if name.lower().endswith(".opml") and not name.lower().startswith("http")]
    named = {
        "names.gazetteer": [config.names.gazetteer or ""],
        "topics.taxonomy": [config.taxonomy_path()],
        "topics.model": [config.model_path()],
        "feeds.files": [str(_below(config.root, name)) for name in config.feeds.files],
        "input": [str(_below(config.root, name)) for name in lists],
    }
    for key, paths in named.items():
        for path in paths:
            if "://" in path:
                raise UsageError(f"{key}: {path} would have to be on a disk; copy it there, and give its whole path.")


def keys() -> dict[str, tuple[str, Any]]:
    """Every key of the configuration with its meaning and default, for the docs and `config init`."""

    def walk(section: type[BaseModel], before: str) -> Iterator[tuple[str, tuple[str, Any]]]:
        for name, field in section.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from walk(field.annotation, f"{before}{name}.")
            else:
                yield f"{before}{name}", (field.description or "", field.default)

    return dict(walk(Config, ""))


def example() -> str:
    """A configuration that says all its defaults, with the meaning of each key above it."""
    lines = ["# A newsbeam configuration. Every key with its default; what you don't need you may leave out.", ""]
    before: list[str] = []
    for key, (meaning, default) in keys().items():
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            if before[: depth + 1] != sections[: depth + 1]:
                lines.append(f"{'  ' * depth}{section}:")
        before, indent = sections, "  " * len(sections)
        value = msgspec.json.encode(default).decode()
        lines += [f"{indent}# {meaning}", f"{indent}{name}: {value}"]
    return "\n".join(lines) + "\n"


def _below(folder: str, path: Any) -> Any:
    """A path relative to a folder as a whole one; an address, or what is no path at all, as it is."""
    if not isinstance(path, str) or "://" in path:
        return path
    if "://" in folder and not os.path.isabs(path):
        return f"{folder.rstrip('/')}/{path}".rstrip("/")
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _folder(path: str) -> str:
    return path.rpartition("/")[0] if "://" in path else os.path.dirname(os.path.abspath(path))


def _read(path: str) -> str:
    try:
        if "://" in path:
            folder, _, name = path.rpartition("/")
            store = store_at(folder)
            store.check()
            return store.read(name).decode()
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: the configuration cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the configuration is not a text in UTF-8.") from None


def _parse(path: str, text: str) -> dict[str, Any]:
    try:
        for key, line in _double_keys(yaml.compose(text, yaml.SafeLoader)):
            raise UsageError(f"{path}, line {line}: the key {key!r} stands there twice; remove one.")
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{path}: a configuration is keys and values, such as `input: articles/`.")
    return values


def _double_keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _double_keys(value)


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key. Values that a section lacks are made."""
    *sections, name = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {key}: {section} is a value and has no keys of its own.")
        values = inner
    values[name] = value


def _explained(error: ValidationError, path: str | None, text: str) -> Iterator[str]:
    """A sentence per mistake, with its line where the file has one."""
    root = yaml.compose(text, yaml.SafeLoader) if text else None
    for mistake in error.errors():
        place = [str(part) for part in mistake["loc"]]
        line = _line(root, place)
        where = f"{path}, line {line}: " if path and line else ""
        key = ".".join(place)
        if mistake["type"] == "extra_forbidden":
            siblings = [name.removeprefix(f"{'.'.join(place[:-1])}.") for name in keys()]
            siblings += [name.partition(".")[0] for name in keys() if "." in name]
            yield f"{where}there is no key {key!r}{_nearest(place[-1], siblings)}."
        else:
            yield f"{where}{key}: {mistake['msg'].removeprefix('Value error, ')}."


def _line(node: yaml.Node | None, place: list[str]) -> int | None:
    line = None
    for part in place:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((key, value) for key, value in node.value if key.value == part), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}" if close else f"; known are {', '.join(known[:12])}"
