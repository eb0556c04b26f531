"""Values that must never be printed.

Rule: the only way to the text is `reveal()`, called where the bytes go out and nowhere else, inside
an expression, so that no local variable of any frame holds the text.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable
from typing import Any, Final, NoReturn, SupportsIndex, TypeVar

MASK: Final = "********"

T = TypeVar("T")


class Secret:
    """Hold a token or a URL that carries one.

    `repr`, `str` and `format` are masked, so crash reporters that print locals print nothing. It
    refuses to be pickled: what travels to another process must be sealed by a journal instead.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text._text if isinstance(text, Secret) else str.__str__(text)

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def fits_a_header(self) -> bool:
        """Tell whether the text is visible ASCII: no line end, no space, no other script."""
        return all(32 < ord(character) < 127 for character in self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: hand over a credential by another way")


class MaskedStr(str):
    """A `str` for callers that need the text as a string, whose printed forms are masked.

    Only faces hand it out (the drop-in service's `upload_url`). Comparison, JSON and a database see
    the real text; `repr`, `str`, `format` and `%s` do not.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __getitem__(self, key: SupportsIndex | slice) -> MaskedStr:
        # Printers that shorten long strings print a slice.
        return MaskedStr(super().__getitem__(key))


def masks(*names: str) -> Callable[[type[T]], type[T]]:
    """Wrap the `__init__` of a keyword-only dataclass so that these fields become `Secret`s first.

    A list becomes a tuple of them. A generated `__init__` would otherwise hold the raw text in its
    frame while validation raises.
    """

    def decorate(cls: type[T]) -> type[T]:
        inner = cls.__init__

        @functools.wraps(inner)
        def init(self: T, *args: Any, **fields: Any) -> None:
            for name in names:
                # No name is bound to the text: this frame may be printed as well.
                if isinstance(fields.get(name), str):
                    fields[name] = Secret(fields[name])
                elif isinstance(fields.get(name), list | tuple):
                    fields[name] = tuple(map(Secret, fields[name]))
            inner(self, *args, **fields)

        cls.__init__ = init  # type: ignore[assignment]
        return cls

    return decorate
