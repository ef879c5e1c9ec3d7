"""A visit to a node: which chain it serves, then one address after another, on a new connection where the last was cut."""

from collections.abc import Callable, Sequence

import msgspec

from monitor.chains.link import LANES
from monitor.chains.rpc import Rpc
from monitor.errors import WrongChain
from monitor.survey.chain import Setting, setting
from monitor.survey.recognise import Found, survey

PROVIDER = "node"


class Wanted(msgspec.Struct, frozen=True):
    """An address to look at (lower case), and what its integration is to be called; empty: by what is found."""

    address: str
    name: str = ""


async def visit(
    url: str, wanted: Sequence[Wanted], *, chain: str | None = None, done: Callable[[Found], None] = lambda _: None
) -> tuple[Setting, list[Found]]:
    """Look at all of them; `chain` (CAIP-2) is which it must be, `done` is told of each.

    Raises NodeError when the node does not answer, WrongChain when it serves another.
    """
    found: list[Found] = []
    rpc = await _connected(url, chain or "")
    try:
        where = await setting(rpc)
        if chain is not None and where.id != chain:
            raise WrongChain(f"{rpc.where} serves chain {where.id}, asked for is {chain}; correct --node or --chain")
        for one in wanted:
            if rpc.closed.done():
                rpc = await _connected(url, where.id)
            found.append(await survey(rpc, where.id, one.address, where.at))
            done(found[-1])
    finally:
        await rpc.close()
    return where, found


async def _connected(url: str, chain: str) -> Rpc:
    return await Rpc.connect(url, provider=PROVIDER, chain=chain, max_size=LANES["requests"])
