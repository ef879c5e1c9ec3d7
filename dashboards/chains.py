"""The dashboard of chains and nodes: do we see, how sure is what we see, and what do the nodes do?"""

from dashboards.layout import Board, Panel

_CHAIN = 'chain=~"$chain"'


def _sum(metric: str, by: str, over: str = "5m", times: str = "") -> str:
    return f"{times}sum by ({by}) (rate({metric}{{{_CHAIN}}}[{over}]))"


BOARD = Board(
    "chains",
    "chain",
    "seawall_chain_head_number",
    (
        (
            "Do we see?",
            (
                Panel("Head age", "How long ago the newest head was processed.", (("{{chain}}", f"chain:seawall_head_age_seconds:max{{{_CHAIN}}}"),), unit="s"),
                Panel("The chain's own clock", "How old the newest processed head is by its own time.", (("{{chain}}", f"time() - seawall_chain_head_timestamp_seconds{{{_CHAIN}}}"),), unit="s"),
                Panel("Coverage", "Blocks processed over blocks of the chain since the start; below 1 something is missing.", (("{{chain}}", f"seawall_coverage_ratio{{{_CHAIN}}}"),), unit="percentunit"),
                Panel("Blocks behind", "Blocks that the node has and we have not processed.", (("{{chain}}", f"seawall_chain_blocks_behind{{{_CHAIN}}}"),)),
                Panel("Block processing", "From a block seen to its commit, p99.", (("{{chain}}", "chain:seawall_block_process_seconds:p99_5m"),), unit="s"),
                Panel("Subscriptions", "0 while one that was granted delivers nothing.", (("{{chain}} {{topic}}", f"seawall_subscription_live{{{_CHAIN}}}"),), "timeline"),
                Panel("Shed", "Items a minute that a feed lost by its declared rule.", (("{{topic}}", _sum("seawall_subscription_dropped_total", "topic", times="60 * ")),)),
                Panel("Contracts unread", "Watched contracts whose last read told no state.", (("{{chain}}", f"seawall_pools_unread{{{_CHAIN}}}"),)),
            ),
        ),
        (
            "How sure?",
            (
                Panel("Heights", "Newest processed, safe and final; -1 while unknown.", (("{{chain}} newest", f"seawall_chain_head_number{{{_CHAIN}}}"), ("{{chain}} safe", f"seawall_chain_safe_number{{{_CHAIN}}}"), ("{{chain}} final", f"seawall_chain_finalized_number{{{_CHAIN}}}"))),
                Panel("Reorganisations", "An hour.", (("{{chain}}", f"sum by (chain) (increase(seawall_reorgs_total{{{_CHAIN}}}[1h]))"),)),
                Panel("Their depth", "p95 of the last day, blocks.", (("{{chain}}", f"histogram_quantile(0.95, sum by (le, chain) (rate(seawall_reorg_depth_blocks_bucket{{{_CHAIN}}}[1d])))"),)),
                Panel("Newest blocks later replaced", "Share of them, smoothed.", (("{{chain}}", f"seawall_reorg_probability{{{_CHAIN}}}"),), unit="percentunit"),
                Panel("Finality broken", "Times that a chain contradicted what was final.", (("{{chain}}", f"seawall_finality_violations_total{{{_CHAIN}}}"),)),
                Panel("Data fee of layer 1", "What a swap's data costs, wei; no line: unknown, or no layer 2.", (("{{chain}}", f"seawall_l1_data_fee_wei{{{_CHAIN}}}"),)),
            ),
        ),
        (
            "What do the nodes do?",
            (
                Panel("Nodes", "What we think of each; the lead moves away from any that is not alive.", (("{{provider}} {{state}}", f"seawall_node_state{{{_CHAIN}}} == 1"),), "timeline", width=24),
                Panel("Answering", "1 while its sockets are open and it answers; and 1 while no second could take over.", (("{{provider}}", f"seawall_node_up{{{_CHAIN}}}"), ("{{chain}} alone", f"seawall_chain_degraded{{{_CHAIN}}}"))),
                Panel("Capabilities", "What the node offers; 0 is a degradation.", (("{{capability}}", f"seawall_chain_capability{{{_CHAIN}}}"),), "timeline"),
                Panel("Calls", "A second, by outcome.", (("{{provider}} {{outcome}}", _sum("seawall_rpc_requests_total", "provider, outcome", "1m")),), unit="reqps"),
                Panel("Calls that fail", "Share of them.", (("{{provider}}", "provider:seawall_rpc_errors:ratio_rate5m"),), unit="percentunit"),
                Panel("Call latency", "p99 by method.", (("{{method}}", f"histogram_quantile(0.99, sum by (le, method) (rate(seawall_rpc_request_duration_seconds_bucket{{{_CHAIN}}}[5m])))"),), unit="s"),
                Panel("Refused for being asked too much", "A minute.", (("{{provider}}", _sum("seawall_node_throttled_total", "provider", times="60 * ")),)),
                Panel("Checks", "A minute, by outcome: what was proven, what was caught, what could not be checked.", (("{{check}} {{outcome}}", _sum("seawall_node_checks_total", "check, outcome", times="60 * ")),)),
                Panel("Second questions", "A minute, by outcome: asked of another node because the first was slow or wrong.", (("{{outcome}}", _sum("seawall_hedges_total", "outcome", times="60 * ")),)),
                Panel("Frames that were no JSON-RPC", "A minute.", (("{{outcome}}", _sum("seawall_node_frames_bad_total", "outcome", times="60 * ")),)),
                Panel("Another node took the lead", "Times an hour.", (("{{chain}}", f"sum by (chain) (increase(seawall_node_moves_total{{{_CHAIN}}}[1h]))"),)),
            ),
        ),
    ),
)  # fmt: skip
