"""The gas dashboard: what will it cost, and is the forecast right?"""

from dashboards.layout import Board, Panel, Rows

_CHAIN = 'chain=~"$chain"'
_FAN = tuple(
    (f"{{{{chain}}}} {quantile} of {horizon} blocks ahead", f'seawall_gas_forecast_wei{{{_CHAIN}, horizon="{horizon}", quantile="{quantile}"}}')
    for horizon, quantile in ((25, "q025"), (25, "q10"), (25, "point"), (25, "q90"), (25, "q975"))
)  # fmt: skip
_ROWS: Rows = (
    (
        "What will it cost?",
        (
            Panel("Next base fee", "Exact, wei.", (("{{chain}}", f'seawall_gas_forecast_wei{{{_CHAIN}, horizon="1", quantile="point"}}'),), "stat", width=6, height=4),
            Panel("Usual priority fee", "To offer for the next block, wei.", (("{{chain}}", f'seawall_gas_priority_fee_wei{{{_CHAIN}, offer="usual"}}'),), "stat", width=6, height=4),
            Panel("Blob base fee", "Of the next block, wei per blob gas.", (("{{chain}}", f"seawall_gas_blob_fee_wei{{{_CHAIN}}}"),), "stat", width=6, height=4),
            Panel("Degraded", "1 while forecasts are not to be relied on.", (("{{chain}}", f"seawall_gas_degraded{{{_CHAIN}}}"),), "stat", width=6, height=4),
            Panel("Base fee and its fan", "What it is, and what had been said of the block 25 ahead.", (("{{chain}} base fee", f"seawall_gas_base_fee_wei{{{_CHAIN}}}"), *_FAN), width=24, height=10),
            Panel("Medians by horizon", "Blocks ahead.", (("{{chain}} {{horizon}}", f'seawall_gas_forecast_wei{{{_CHAIN}, quantile="point"}}'),)),
            Panel("Caps that will be enough", "For all of the next blocks, 95 %.", (("{{chain}} {{blocks}} blocks", f'seawall_gas_cap_wei{{{_CHAIN}, level="95"}}'),)),
        ),
    ),
    (
        "Is it right?",
        (
            Panel("Coverage of 80 % intervals", "A day's worth, newest counting most; wanted: 0.8.", (("{{chain}} {{horizon}}", f'seawall_gas_coverage_ratio{{{_CHAIN}, interval="80"}}'),), unit="percentunit"),
            Panel("Coverage of 95 % intervals", "Wanted: 0.95.", (("{{chain}} {{horizon}}", f'seawall_gas_coverage_ratio{{{_CHAIN}, interval="95"}}'),), unit="percentunit"),
            Panel("Error against the plain answer", "Below 1 is better than saying: as the next.", (("{{chain}} {{horizon}}", f"seawall_gas_mase_ratio{{{_CHAIN}}}"),)),
            Panel("Pinball loss", "Of medians and edges, log units.", (("{{chain}} {{horizon}}", f"seawall_gas_pinball_loss{{{_CHAIN}}}"),)),
            Panel("Surprise", "Widths by which the fee has left its forecast; 6 is congestion.", (("{{chain}}", f"seawall_gas_surprise_ratio{{{_CHAIN}}}"),)),
            Panel("Next fees that were wrong", "Told as exact; more than none means the chain is configured wrongly.", (("{{chain}}", f"increase(seawall_gas_next_fee_wrong_total{{{_CHAIN}}}[1h])"),)),
            Panel("Models fitted", "An hour, by outcome.", (("{{chain}} {{outcome}}", f"sum by (chain, outcome) (increase(seawall_gas_fits_total{{{_CHAIN}}}[1h]))"),)),
            Panel("Model's age", "Blocks since the last one it was fitted on.", (("{{chain}}", "seawall_chain_head_number - on (chain) seawall_gas_model_last_block"),)),
            Panel("Who answers", "The rung of the ladder: from persistence to the network; backlog on Arbitrum.", (("{{chain}} {{rung}}", f"seawall_gas_rung{{{_CHAIN}}} == 1"),)),
            Panel("History to learn from", "Blocks that the next model would be fitted on; kept over restarts.", (("{{chain}}", f"seawall_gas_history_blocks{{{_CHAIN}}}"),)),
            Panel("Held the loop", "p99 of the stretches for which forecasting held the loop.", (("{{chain}}", "histogram_quantile(0.99, sum by (le, chain) (rate(seawall_gas_step_seconds_bucket[5m])))"),), unit="s"),
        ),
    ),
)  # fmt: skip

BOARD = Board("gas", "chain", "seawall_gas_base_fee_wei", _ROWS)
