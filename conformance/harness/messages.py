"""Protobuf messages from data as configurations have it, by the descriptors of the package xds-protos."""

import functools
import importlib
from pathlib import Path

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory

_PREFIX = "type.googleapis.com/"


def message(name, data):
    """The message of the full name `name` that `data`, as JSON would have it, describes. Raises `ValueError`."""
    _learn(data)
    made = _class(name)()
    try:
        json_format.ParseDict(data, made)
    except json_format.ParseError as error:
        raise ValueError(f"{name}: {error}") from None
    return made


def packed(data):
    """An Any of a mapping with @type. `{type_url, value}` is one as it is, of whatever bytes."""
    if "@type" not in data:
        return any_pb2.Any(type_url=data["type_url"], value=data["value"])
    rest = {key: value for key, value in data.items() if key != "@type"}
    name = data["@type"].removeprefix(_PREFIX)
    return any_pb2.Any(type_url=_PREFIX + name, value=message(name, rest).SerializeToString(deterministic=True))


def empty(name):
    """A new message of the full name."""
    return _class(name)()


def _learn(data):
    """Makes the types known that stand in an @type anywhere below."""
    if isinstance(data, dict):
        if isinstance(data.get("@type"), str):
            _class(data["@type"].removeprefix(_PREFIX))
        for value in data.values():
            _learn(value)
    elif isinstance(data, list):
        for value in data:
            _learn(value)


@functools.cache
def _class(name):
    _import(name.rpartition(".")[0])
    try:
        return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
    except KeyError:
        raise ValueError(f"no message named {name}") from None


@functools.cache
def _import(package):
    """The modules of a package of messages; their folders are named like it."""
    try:
        folders = importlib.import_module(package).__path__
    except ImportError:
        return
    for path in sorted(path for folder in folders for path in Path(folder).glob("*_pb2.py")):
        importlib.import_module(f"{package}.{path.stem}")
