"""Every secret of a configuration, wherever it stands: what must never leave, for those who scrub what does."""

from collections.abc import Iterator, Mapping

import msgspec

from monitor.config.kinds import Secret
from monitor.config.layout import Config, Receiver

SIGNED = "whsec_"
"""What a webhook's key is written with; its library uses, and may quote, the rest."""


def secrets_of(config: Config) -> list[str]:
    """Node URLs, tokens, keys, and every text a receiver is given: addresses of receivers often hold their secret."""
    found = list(_found(config, everything=False))
    bare = [secret.removeprefix(SIGNED) for secret in found if secret.startswith(SIGNED)]
    return list(dict.fromkeys([*found, *bare]))


def _found(value: object, *, everything: bool) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, msgspec.Struct):
        inside = isinstance(value, Receiver)
        for name in value.__struct_fields__:
            yield from _found(getattr(value, name), everything=inside and name == "options")
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _found(item, everything=everything)
    elif isinstance(value, tuple):
        for item in value:
            yield from _found(item, everything=everything)
    elif everything and isinstance(value, str):
        yield value
