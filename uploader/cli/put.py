"""`uploader put`: files to the place that a URL names.

Rule: knows no destination; which schemes there are, and what their URLs stand for, the installed
transports say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from uploader import registry
from uploader.cli import destinations, logs
from uploader.cli.checking import one_key
from uploader.cli.credentials import token_for
from uploader.cli.journals import Place
from uploader.cli.running import Manner
from uploader.cli.sending import send
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Destination, TransportFactory


def put(
    files: Sequence[Path],
    url: str,
    *,
    settings: Sequence[str],
    token_file: Path | None,
    key: str | None,
    again: bool,
    manner: Manner,
    where: Place,
) -> int:
    """Send the files and return the exit code. Raises `BadInput` or `UploaderError` before."""
    logs.configure(manner.log_format, manner.log_level)
    one_key(files, key)
    factory = _found_by(url)
    urls = _urls(files, url, takes_many=bool(getattr(factory, "takes_many", False)))
    given = destinations.options(settings, word="--set")
    token = token_for(factory, token_file)
    return send(
        [(file, _at(factory, each, token, given)) for file, each in zip(files, urls, strict=True)],
        key=key,
        again=again,
        manner=manner,
        where=where,
        variable=factory.token_variable,
    )


def by_scheme() -> dict[str, TransportFactory]:
    """Return the installed transports by their URL schemes; one that does not load has none."""
    found: dict[str, TransportFactory] = {}
    for name in registry.names():
        with suppress(Exception):
            factory = registry.load(name)
            for scheme in getattr(factory, "schemes", ()):
                found.setdefault(scheme.lower(), factory)
    return found


def _found_by(url: str) -> TransportFactory:
    """Return the transport of a URL. Only its scheme is told in errors: the rest may be secret."""
    scheme, separator, _ = url.partition("://")
    known = by_scheme()
    factory = known.get(scheme.lower()) if separator else None
    if factory is not None:
        return factory
    what = f"no transport takes {scheme[:32]}:// URLs" if separator else "the last word is no URL"
    raise ConfigurationError(what).hint(
        f"write FILE URL; URLs begin with {', '.join(f'{each}://' for each in sorted(known))};"
        " for other destinations there is `publish --to NAME`"
    )


def _urls(files: Sequence[Path], url: str, *, takes_many: bool) -> list[str]:
    """Return the URL of each file: in a folder, one that ends in "/", it has the file's name."""
    if takes_many:
        return [url for _ in files]
    if not url.endswith("/"):
        if len(files) > 1:
            raise ConfigurationError(f"one URL names one object, not {len(files)}").hint(
                'end it in "/": then each file goes there under its own name'
            )
        return [url]
    named: dict[str, Path] = {}
    for file in files:
        other = named.setdefault(file.name, file)
        if other.resolve() != file.resolve():
            raise ConfigurationError(f"{other} and {file} would have the same name there").hint(
                "put them by two commands, to two URLs"
            )
    return [url + file.name for file in files]


def _at(
    factory: TransportFactory, url: str, token: Secret | None, given: Mapping[str, Any]
) -> Destination:
    located = getattr(factory, "locate")(url)  # noqa: B009 - an optional member
    twice = sorted(located.keys() & given.keys())
    if twice:
        raise ConfigurationError(f"the URL tells {' and '.join(twice)} already").hint(
            f"leave out {' and '.join(map(_flag, twice))}"
        )
    return destinations.build(factory, token, {**located, **given}, flag=_flag)


def _flag(name: str) -> str:
    return f"--set {name}=..."
