"""Makes the committed Grafana dashboard and Prometheus rules: `python -m dashboards.generate`. The JSON and YAML are the artefact."""

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
        ),
    ),
    (
        "Do we see?",
        (
            Panel("Head age", "How long ago the newest head was processed.", (("{{chain}}", "time() - seawall_chain_head_seen_timestamp_seconds"),), unit="s"),
            Panel("Decision latency", "From the event seen to the decision published, p99.", (("{{stage}}", "histogram_quantile(0.99, sum by (le, stage) (rate(seawall_detection_latency_seconds_bucket[5m])))"),), unit="s"),
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
            Panel("Build", "What runs.", (("{{version}}", "seawall_build_info"),), "stat", width=12, height=7),
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
    board = (
        dashboard.Dashboard("Seawall overview")
        .uid("seawall-overview")
        .tags(["seawall"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("utc")
        .editable()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("integration").label("Integration").datasource(_source())
            .query("label_values(seawall_paused, integration)").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(multi=True).include_all(include_all=True).all_value(".*")
        )
    )  # fmt: skip
    y = 0
    for title, panels in ROWS:
        board = board.with_row(dashboard.Row(title).grid_pos(models.GridPos(h=1, w=_COLUMNS, x=0, y=y)))
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x = 0
            board = board.with_panel(_panel(panel, x, y))
            x += panel.width
            if x == _COLUMNS:
                x, y = 0, y + panel.height
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def main() -> None:
    """Write the dashboard; with `--check` only say whether it is up to date."""
    made = overview()
    if "--check" in sys.argv:
        sys.exit(
            0 if json.loads(OVERVIEW.read_text()) == json.loads(made) else f"{OVERVIEW.name} is out of date: run `make docs`"
        )
    OVERVIEW.write_text(made)


if __name__ == "__main__":
    main()
