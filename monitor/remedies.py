"""Remedies: what a configuration or a node lacks, what follows from that, and how to mend it. Pure."""

from collections.abc import Iterator, Mapping

from monitor.config import Config

CONSEQUENCES = {
    "mempool": "unsupported here, which is not quiet: nothing is seen before its block, or before the sequencer promises it",
    "full_pending": "pending transactions are looked up one by one: a round trip more before a verdict",
    "trace_call": "pending transactions cannot be judged: attacks are seen only in their block",
    "trace_block": "without rows too, blocks are traced transaction by transaction, or not at all",
    "rows": "blocks are traced in nested form, for which some nodes need longer than a slot when a block is full",
    "js_call": "storage order of pending transactions is unknown: re-entrancy below the structural score only warns",
    "js_transaction": "storage order of mined transactions is unknown: re-entrancy below the structural score only warns",
    "pinned": "state is read by height: a reorganisation in between can mix two blocks",
    "tags": "nothing is known to be final: automatic holds are not released by themselves",
}
"""What follows from each capability that a node lacks."""

FIXES = {
    "mempool": "take a node that pushes newPendingTransactions: one of your own, or a plan that includes the mempool",
    "full_pending": "take a node that pushes whole transactions (geth, reth and erigon do: newPendingTransactions, true)",
    "trace_call": "open the debug methods: --ws.api eth,net,web3,debug of geth, with trace of reth; a provider's trace add-on",
    "trace_block": "open the debug methods, as for trace_call",
    "rows": "nothing needs mending; a node with the trace methods (reth, erigon, Nethermind: trace_block) is faster",
    "js_call": "take geth or reth with the debug methods, which run JavaScript tracers; providers mostly do not",
    "js_transaction": "as for js_call",
    "pinned": "update the node: EIP-1898 has been in all of them since 2021",
    "tags": "update the node, or say in the configuration how deep is final: confirmations: {safe: 32, final: 64}",
}
"""How to mend each."""


def missing(config: Config) -> Iterator[str]:
    """What the configuration itself leaves open, with the remedy behind a semicolon."""
    if not config.integrations:
        yield "integrations: nothing is watched; seawall init ADDRESS --node URL drafts them"
    if not config.alerts.receivers:
        yield "alerts.receivers: nobody is told of anything; add one, and try it with seawall alerts test"
    elif all(one.channel == "console" for one in config.alerts.receivers.values()):
        yield "alerts.receivers: only the console is told, which wakes nobody; add alertmanager, pagerduty, slack or webhook"
    if not config.api.tokens:
        yield "api.tokens: nobody can pause or resume; seawall token create NAME --scope pause --scope resume prints an entry"
    shadow = [name for name, one in config.integrations.items() if not one.enforced]
    if config.integrations and len(shadow) == len(config.integrations):
        yield "integrations: all are in shadow, so no flag will turn; seawall shadow report says when to set mode: enforce"
    for name, chain in config.chains.items():
        if chain.quorum > 1 and chain.quorum == len(chain.nodes):
            yield f"chains.{name}.quorum: all {chain.quorum} nodes must agree, so the first failure blinds; add one more"


def remedies(capabilities: Mapping[str, bool]) -> list[tuple[str, str]]:
    """(What follows, how to mend it) for each capability that is not there."""
    return [(CONSEQUENCES[name], FIXES[name]) for name, offered in capabilities.items() if not offered]
