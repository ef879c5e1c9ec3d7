"""The detectors' dashboard: what is found, how fast, and what could not be judged."""

from dashboards.layout import Board, Panel

_CHAIN = 'chain=~"$chain"'

BOARD = Board(
    "detectors",
    "chain",
    "seawall_events_total",
    (
        (
            "What is found?",
            (
                Panel("Findings", "An hour, by detector and severity.", (("{{detector}} {{severity}}", f"sum by (detector, severity) (increase(seawall_signals_total{{{_CHAIN}}}[1h]))"),)),
                Panel("Risk", "The highest live confidence per integration.", (("{{integration}}", "seawall_risk_score"),), unit="percentunit"),
                Panel("Would have paused", "Findings an hour of detectors in shadow that would have.", (("{{integration}} {{detector}}", "sum by (integration, detector) (increase(seawall_would_pauses_total[1h]))"),)),
                Panel("Taken back", "Findings an hour whose block was replaced for good.", (("{{integration}}", "sum by (integration) (increase(seawall_retractions_total[1h]))"),)),
                Panel("Sanctions lists", "Parties on each list in force; and 1 where its file cannot be read as it is.", (("{{list}}", "seawall_sanctions_parties"), ("{{list}} in trouble", "seawall_sanctions_trouble"))),
                Panel("Run again elsewhere", "Pending transactions an hour run again as a builder would have them, by outcome.", (("{{outcome}}", f"sum by (outcome) (increase(seawall_reruns_total{{{_CHAIN}}}[1h]))"),)),
            ),
        ),
        (
            "How fast?",
            (
                Panel("Decision latency", "From the event seen to the decision published, p99 by stage.", (("{{stage}}", "stage:seawall_detection_latency_seconds:p99_5m"),), unit="s"),
                Panel("Decision latency, median", "By stage.", (("{{stage}}", f"histogram_quantile(0.5, sum by (le, stage) (rate(seawall_detection_latency_seconds_bucket{{{_CHAIN}}}[5m])))"),), unit="s"),
                Panel("Proof of life", "From a synthetic attack sent to its flag read back, p99.", (("{{chain}}", f"histogram_quantile(0.99, sum by (le, chain) (rate(seawall_canary_seconds_bucket{{{_CHAIN}}}[15m])))"),), unit="s"),
                Panel("Events", "Through the pipeline a second.", (("{{kind}}", f"sum by (kind) (rate(seawall_events_total{{{_CHAIN}}}[1m]))"),), unit="ops"),
            ),
        ),
        (
            "What was not judged?",
            (
                Panel("Unjudged", "Executions an hour that could not be judged, by reason: suspicious, never clean.", (("{{reason}}", f"sum by (reason) (increase(seawall_unjudged_total{{{_CHAIN}}}[1h]))"),)),
                Panel("Pending calls", "A second, by how they ended; and how many came.", (("{{end}}", f"sum by (end) (rate(seawall_pending_calls_ended_total{{{_CHAIN}}}[1m]))"), ("came", f"sum(rate(seawall_pending_calls_total{{{_CHAIN}}}[1m]))"))),
                Panel("Pending calls open", "Came and have not ended.", (("{{chain}}", f"seawall_pending_calls_open{{{_CHAIN}}}"),)),
                Panel("Detectors that failed", "Events an hour on which one did; after three on end it is left out.", (("{{detector}}", "sum by (detector) (increase(seawall_detector_errors_total[1h]))"),)),
            ),
        ),
    ),
)  # fmt: skip
