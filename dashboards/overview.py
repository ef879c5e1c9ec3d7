"""The overview: may we use it, do we see, do we serve? Each question has a dashboard of its own for who needs more."""

from dashboards.layout import Board, Panel

_MINE = 'integration=~"$integration"'

BOARD = Board(
    "overview",
    "integration",
    "seawall_paused",
    (
        (
            "May we use it?",
            (
                Panel("Integrations paused", "Flags that say do not use.", (("paused", "sum(seawall_paused)"),), "stat", width=6, height=4),
                Panel("Unknown", "Flags we cannot vouch for.", (("unknown", 'sum(seawall_flag_state{state="unknown"})'),), "stat", width=6, height=4),
                Panel("Would pause (shadow)", "Shadow integrations that enforcing would pause.", (("would pause", "sum(seawall_would_pause)"),), "stat", width=6, height=4),
                Panel("Alerts waiting", "Notifications not yet delivered.", (("waiting", "seawall_alert_outbox_depth"),), "stat", width=6, height=4),
                Panel("Pause by integration", "1 while the boolean flag says do not use.", (("{{integration}}", f"seawall_paused{{{_MINE}}}"),), "timeline", width=24, height=8),
                Panel("Risk", "The highest live confidence per integration.", (("{{integration}}", f"seawall_risk_score{{{_MINE}}}"),), unit="percentunit"),
                Panel("Transitions", "Breaker transitions an hour.", (("{{integration}} → {{to_state}}", f"sum by (integration, to_state) (increase(seawall_transitions_total{{{_MINE}}}[1h]))"),)),
            ),
        ),
        (
            "Do we see?",
            (
                Panel("Head age", "How long ago the newest head was processed.", (("{{chain}}", "chain:seawall_head_age_seconds:max"),), unit="s"),
                Panel("Coverage", "Blocks processed over blocks of the chain since the start; below 1 something is missing.", (("{{chain}}", "seawall_coverage_ratio"),), unit="percentunit"),
                Panel("Time to pause", "From the cause seen to the pause decided, readable, recorded, p99; the breaker's dashboard has single incidents.", (("{{step}}", "step:seawall_time_to_pause_seconds:p99_1h"),), unit="s"),
                Panel("Findings", "An hour, by detector and severity.", (("{{detector}} {{severity}}", "sum by (detector, severity) (increase(seawall_signals_total[1h]))"),)),
                Panel("Nodes", "What we think of each node; the lead moves away from any that is not alive.", (("{{provider}} {{state}}", "seawall_node_state == 1"),), "timeline"),
                Panel("Proof of life", "How long ago the last synthetic attack came back as a pause.", (("{{chain}}", "time() - seawall_canary_last_success_timestamp_seconds"),), unit="s"),
            ),
        ),
        (
            "Do we serve?",
            (
                Panel("Flag reads", "Reads a second by protocol and code.", (("{{protocol}} {{code}}", "sum by (protocol, code) (rate(seawall_flag_reads_total[1m]))"),), unit="reqps"),
                Panel("Alert deliveries", "Attempts by receiver and outcome.", (("{{receiver}} {{outcome}}", "sum by (receiver, outcome) (increase(seawall_alerts_total[1h]))"),)),
                Panel("Event loop lag", "How late the loop ran at the last tick.", (("lag", "seawall_loop_lag_seconds"),), unit="s"),
                Panel("Journal append", "p99 of a journal append.", (("append", "histogram_quantile(0.99, sum by (le) (rate(seawall_journal_append_seconds_bucket[5m])))"),), unit="s"),
            ),
        ),
    ),
)  # fmt: skip
