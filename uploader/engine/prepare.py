"""All that can be decided before the first request.

Rule: reads the source's name, size and first bytes; sends nothing. What is wrong is refused here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from uploader import planner
from uploader.engine.abilities import Abilities
from uploader.errors import ConfigurationError, PlanError
from uploader.model import Plan, Session, SourceFacts, UploadSpec
from uploader.source import OneRead, SourceInput, describe
from uploader.transport import Capabilities, CredentialSource, Destination, Preflight, Transport


@dataclass(slots=True)
class Prepared:
    """An upload that is ready to be driven. `source` is `None` where no byte is needed any more.

    `shared` is set where other uploads read the same source at the same time, `preflight` where the
    destination is asked before anything is sent.
    """

    upload_id: str
    source: SourceInput | None
    facts: SourceFacts
    destination: Destination
    transport: Transport
    content_type: str
    plan: Plan
    session: Session | None = None
    shared: OneRead | None = None
    preflight: Preflight | None = None
    abilities: Abilities = field(init=False)

    def __post_init__(self) -> None:
        self.abilities = Abilities.of(self.transport)

    @property
    def spec(self) -> UploadSpec:
        return UploadSpec(self.plan.size, self.content_type, self.plan, self.facts.name)

    @property
    def at_once(self) -> bool:
        """Whether the whole content goes in one request, without a session."""
        return self.plan.count == 1 and self.session is None and self.abilities.put is not None


def prepare(
    source: SourceInput,
    destination: Destination,
    *,
    credentials: CredentialSource | None = None,
    session: Session | None = None,
    part_size: int | None = None,
    about: int | None = None,
) -> Prepared:
    """Check source and destination and plan the cut. May block: a stream is spooled first.

    `session` goes on with an upload that was opened elsewhere, `part_size` then cuts as its opener
    did. Parts have `about` so many bytes where the destination is given no size of its own, as far
    as its limits allow. Raises `ConfigurationError`, `PlanError` or `SourceError`.
    """
    check_credentials(destination, credentials)
    transport = destination.transport()
    capabilities = transport.capabilities
    facts, source = describe(content_of(source, destination))
    content_type = transport.content_type(facts)
    try:
        if part_size is None:
            plan = planner.plan(facts.size, _wanting(capabilities, destination, about))
        else:
            plan = planner.cut(facts.size, part_size, capabilities)
    except PlanError as error:
        refusal = PlanError(f"{facts.name or 'the content'}: {error.message}")
        for hint in error.hints:
            refusal.add_note(hint)
        raise refusal from None
    return Prepared(
        upload_id=secrets.token_hex(8),
        source=source,
        facts=facts,
        destination=destination,
        transport=transport,
        content_type=content_type,
        plan=plan,
        session=session,
    )


def _wanting(limits: Capabilities, destination: Destination, about: int | None) -> Capabilities:
    """Return a destination's limits with the size of parts that is wanted of it."""
    if about is None or _says_size(destination):
        return limits
    return replace(limits, part_size=min(max(about, limits.min_part), limits.max_part))


def _says_size(destination: Destination) -> bool:
    """Whether a destination was given a size of parts: another one than it has by itself."""
    known = getattr(type(destination), "__dataclass_fields__", {})
    own = [known[name] for name in ("part_size", "chunk_size") if name in known]
    return any(getattr(destination, each.name) != each.default for each in own)


def content_of(source: SourceInput | None, destination: Destination) -> SourceInput:
    """Return the source, or what a destination brings in its place."""
    if source is not None:
        return source
    manifest = getattr(destination, "manifest", None)
    if manifest is None:
        raise ConfigurationError("no source is given").hint("give a path, an open file or bytes")
    return manifest()


def check_credentials(destination: Destination, credentials: CredentialSource | None) -> None:
    """Refuse a destination for which no token can be had."""
    given = (destination.access_token, destination.credentials, credentials)
    if all(each is None for each in given) and not is_accountless(destination):
        raise ConfigurationError(
            f"{type(destination).__name__} has no access token and no credentials"
        ).hint("give access_token=, or credentials= to the destination or the uploader")


def is_accountless(destination: Destination) -> bool:
    """Tell whether a destination's fields alone name the place."""
    return bool(getattr(destination, "accountless", False))
