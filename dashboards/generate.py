"""Makes the committed Grafana dashboards and Prometheus rules: `python -m dashboards.generate`. The JSON and YAML are the artefact."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

HERE = Path(__file__).parent
OVERVIEW = HERE / "seawall-overview.json"
GAS = HERE / "seawall-gas.json"
_COLUMNS = 24
_KINDS: dict[str, type[stat.Panel | statetimeline.Panel | timeseries.Panel]] = {
    "stat": stat.Panel,
    "timeline": statetimeline.Panel,
    "timeseries": timeseries.Panel,
}


class Panel(NamedTuple):
    """A panel: what it shows, the queries (legend, PromQL), how, its unit and its width of 24 columns."""

    title: str
    why: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 12
    height: int = 7


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "May we use it?",
        (
            Panel("Integrations paused", "Flags that say do not use.", (("paused", "sum(seawall_paused)"),), "stat", width=6, height=4),
            Panel("Unknown", "Flags we cannot vouch for.", (("unknown", 'sum(seawall_flag_state{state="unknown"})'),), "stat", width=6, height=4),
            Panel("Would pause (shadow)", "Shadow integrations that enforcing would pause.", (("would pause", "sum(seawall_would_pause)"),), "stat", width=6, height=4),
            Panel("Alerts waiting", "Notifications not yet delivered.", (("waiting", "seawall_alert_outbox_depth"),), "stat", width=6, height=4),
            Panel("Pause by integration", "1 while the boolean flag says do not use.", (("{{integration}}", 'seawall_paused{integration=~"$integration"}'),), "timeline", width=24, height=8),
            Panel("Risk", "The highest live confidence per integration.", (("{{integration}}", 'seawall_risk_score{integration=~"$integration"}'),), unit="percentunit"),
            Panel("Transitions", "Breaker transitions an hour.", (("{{integration}} → {{to_state}}", 'sum by (integration, to_state) (increase(seawall_transitions_total{integration=~"$integration"}[1h]))'),)),
            Panel("On-chain pause would succeed", "0: it would fail today; no line: unknown.", (("{{integration}}", "seawall_pause_ready"),)),
        ),
    ),
    (
        "Do we see?",
        (
            Panel("Head age", "How long ago the newest head was processed.", (("{{chain}}", "time() - seawall_chain_head_seen_timestamp_seconds"),), unit="s"),
            Panel("Coverage", "Blocks processed over blocks of the chain since the start; below 1 something is missing.", (("{{chain}}", "seawall_coverage_ratio"),), unit="percentunit"),
            Panel("Blocks behind", "Blocks that the node has and we have not processed.", (("{{chain}}", "seawall_chain_blocks_behind"),)),
            Panel("Checks of nodes", "A minute, by outcome: what was proven, what was caught, what could not be checked.", (("{{check}} {{outcome}}", "60 * sum by (check, outcome) (rate(seawall_node_checks_total[5m]))"),)),
            Panel("Second questions", "A minute, by outcome: asked of another node because the first was slow or wrong.", (("{{outcome}}", "60 * sum by (outcome) (rate(seawall_hedges_total[5m]))"),)),
            Panel("Decision latency", "From the event seen to the decision published, p99.", (("{{stage}}", "histogram_quantile(0.99, sum by (le, stage) (rate(seawall_detection_latency_seconds_bucket[5m])))"),), unit="s"),
            Panel("Time to pause", "From the cause seen to the pause decided, readable, recorded, p99.", (("{{step}}", "histogram_quantile(0.99, sum by (le, step) (rate(seawall_time_to_pause_seconds_bucket[1h])))"),), unit="s"),
            Panel("Time to acknowledge", "From the pause readable to somebody taking it up, median.", (("{{integration}}", "histogram_quantile(0.5, sum by (le, integration) (rate(seawall_time_to_acknowledge_seconds_bucket[1d])))"),), unit="s"),
            Panel("Proof of life", "From a synthetic attack sent to its flag read back, p99; and how long ago the last came back.", (("{{chain}}", "histogram_quantile(0.99, sum by (le, chain) (rate(seawall_canary_seconds_bucket[15m])))"), ("{{chain}} ago", "time() - seawall_canary_last_success_timestamp_seconds")), unit="s"),
            Panel("Proofs of life lost", "An hour; and 1 while flags are unknown for it.", (("{{chain}}", "sum by (chain) (increase(seawall_canary_lost_total[1h]))"), ("{{chain}} doubt", "seawall_canary_doubt"))),
            Panel("Block processing", "From a block seen to its commit, p99.", (("{{chain}}", "histogram_quantile(0.99, sum by (le, chain) (rate(seawall_block_process_seconds_bucket[5m])))"),), unit="s"),
            Panel("Events", "Events through the pipeline a second.", (("{{kind}}", "sum by (kind) (rate(seawall_events_total[1m]))"),), unit="ops"),
            Panel("Findings", "Findings an hour by detector and severity.", (("{{detector}} {{severity}}", "sum by (detector, severity) (increase(seawall_signals_total[1h]))"),)),
            Panel("Node calls", "JSON-RPC calls a second by outcome.", (("{{provider}} {{outcome}}", "sum by (provider, outcome) (rate(seawall_rpc_requests_total[1m]))"),), unit="reqps"),
            Panel("Node call latency", "p99 by method.", (("{{method}}", "histogram_quantile(0.99, sum by (le, method) (rate(seawall_rpc_request_duration_seconds_bucket[5m])))"),), unit="s"),
            Panel("Capabilities", "What the node offers; 0 is a degradation.", (("{{capability}}", "seawall_chain_capability"),), "timeline", height=7),
            Panel("Nodes", "What we think of each node; the lead moves away from any that is not alive.", (("{{provider}} {{state}}", "seawall_node_state"),), "timeline", width=24, height=7),
        ),
    ),
    (
        "Do we serve?",
        (
            Panel("Flag reads", "Reads a second by protocol and code.", (("{{protocol}} {{code}}", "sum by (protocol, code) (rate(seawall_flag_reads_total[1m]))"),), unit="reqps"),
            Panel("Stream clients", "Connected change-stream clients.", (("{{protocol}}", "seawall_flag_clients"),)),
            Panel("Journal append", "p99 of a journal append.", (("append", "histogram_quantile(0.99, sum by (le) (rate(seawall_journal_append_seconds_bucket[5m])))"),), unit="s"),
            Panel("Alert deliveries", "Attempts by receiver and outcome.", (("{{receiver}} {{outcome}}", "sum by (receiver, outcome) (increase(seawall_alerts_total[1h]))"),)),
            Panel("Event loop lag", "How late the loop ran at the last tick.", (("lag", "seawall_loop_lag_seconds"),), unit="s"),
            Panel("Our own bursts", "p99 of how long our own work held the loop.", (("burst", "histogram_quantile(0.99, sum by (le) (rate(seawall_loop_burst_seconds_bucket[5m])))"),), unit="s"),
            Panel("Pending calls", "A second: how pending contract calls ended, and how many are open.", (("{{end}}", "sum by (end) (rate(seawall_pending_calls_ended_total[1m]))"), ("came", "sum(rate(seawall_pending_calls_total[1m]))"), ("open", "sum(seawall_pending_calls_open)"))),
            Panel("Build", "What runs.", (("{{version}}", "seawall_build_info"),), "stat", width=12, height=7),
        ),
    ),
)  # fmt: skip


_CHAIN = 'chain=~"$chain"'
_FAN = tuple(
    (f"{{{{chain}}}} {quantile} of {horizon} blocks ahead", f'seawall_gas_forecast_wei{{{_CHAIN}, horizon="{horizon}", quantile="{quantile}"}}')
    for horizon, quantile in ((25, "q025"), (25, "q10"), (25, "point"), (25, "q90"), (25, "q975"))
)  # fmt: skip
GAS_ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
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
            Panel("Model's age", "Blocks since the last one it was fitted on.", (("{{chain}}", "seawall_chain_head_number - on (chain) seawall_gas_model_last_block"),)),
            Panel("Held the loop", "p99 of the stretches for which forecasting held the loop.", (("{{chain}}", "histogram_quantile(0.99, sum by (le, chain) (rate(seawall_gas_step_seconds_bucket[5m])))"),), unit="s"),
        ),
    ),
)  # fmt: skip


def _source() -> models.DataSourceRef:
    return models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _panel(panel: Panel, x: int, y: int) -> stat.Panel | statetimeline.Panel | timeseries.Panel:
    made: stat.Panel | statetimeline.Panel | timeseries.Panel = _KINDS[panel.kind]()
    made = made.title(panel.title).description(panel.why).datasource(_source()).unit(panel.unit)
    made = made.grid_pos(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
    for number, (legend, expression) in enumerate(panel.queries):
        made = made.with_target(prometheus.Dataquery().ref_id(chr(65 + number)).expr(expression).legend_format(legend))
    if isinstance(made, timeseries.Panel):
        made = made.legend(
            common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.LIST).show_legend(show_legend=True)
        )
    return made


def overview() -> str:
    """The overview dashboard as JSON text."""
    return _laid_out(_board("overview", "integration", "seawall_paused"), ROWS)


def gas() -> str:
    """The gas dashboard as JSON text."""
    return _laid_out(_board("gas", "chain", "seawall_gas_base_fee_wei"), GAS_ROWS)


def _board(name: str, variable: str, metric: str) -> dashboard.Dashboard:
    """An empty dashboard, to be narrowed down by one label, whose values are those that `metric` has."""
    return (
        dashboard.Dashboard(f"Seawall {name}")
        .uid(f"seawall-{name}")
        .tags(["seawall"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("utc")
        .editable()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable(variable).label(variable.capitalize()).datasource(_source())
            .query(f"label_values({metric}, {variable})").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(multi=True).include_all(include_all=True).all_value(".*")
        )
    )  # fmt: skip


def _laid_out(board: dashboard.Dashboard, rows: tuple[tuple[str, tuple[Panel, ...]], ...]) -> str:
    """Rows of panels, left to right and down, as JSON text."""
    y = 0
    for title, panels in rows:
        board = board.with_row(dashboard.Row(title).grid_pos(models.GridPos(h=1, w=_COLUMNS, x=0, y=y)))
        x, y, tallest = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            board = board.with_panel(_panel(panel, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def main() -> None:
    """Write the dashboards; with `--check` only say whether they are up to date."""
    for path, made in ((OVERVIEW, overview()), (GAS, gas())):
        if "--check" not in sys.argv:
            path.write_text(made)
        elif json.loads(path.read_text()) != json.loads(made):
            sys.exit(f"{path.name} is out of date: run `make docs`")


if __name__ == "__main__":
    main()
