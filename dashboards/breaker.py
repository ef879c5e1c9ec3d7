"""The breaker's dashboard: what holds, how long a pause took step by step, what people did, and the journal under it."""

from dashboards.layout import Board, Panel

_MINE = 'integration=~"$integration"'

BOARD = Board(
    "breaker",
    "integration",
    "seawall_paused",
    (
        (
            "What holds?",
            (
                Panel("Breakers", "The state each is in.", (("{{integration}} {{state}}", f"seawall_state{{{_MINE}}} == 1"),), "timeline", width=24, height=8),
                Panel("What readers are told", "Run, pause or unknown.", (("{{integration}} {{state}}", f"seawall_flag_state{{{_MINE}}} == 1"),), "timeline", width=24, height=8),
                Panel("Transitions", "An hour, by where to and whose doing.", (("{{integration}} → {{to_state}} by {{cause}}", f"sum by (integration, to_state, cause) (increase(seawall_transitions_total{{{_MINE}}}[1h]))"),)),
                Panel("Would pause (shadow)", "1 while a shadow integration would be paused if it were enforced.", (("{{integration}}", f"seawall_would_pause{{{_MINE}}}"),)),
                Panel("On-chain pause would succeed", "0: it would fail today; no line: unknown.", (("{{integration}}", f"seawall_pause_ready{{{_MINE}}}"),)),
                Panel("Taken back", "Findings an hour that a reorganisation took back.", (("{{integration}}", f"sum by (integration) (increase(seawall_retractions_total{{{_MINE}}}[1h]))"),)),
            ),
        ),
        (
            "How fast, and who?",
            (
                Panel("Time to pause", "From the cause seen to the pause decided, readable, recorded, p99. The dots are single incidents.", (("{{step}}", f"histogram_quantile(0.99, sum by (le, step) (rate(seawall_time_to_pause_seconds_bucket{{{_MINE}}}[1h])))"),), unit="s", exemplars=True),
                Panel("Pauses by how long they took", "Since the start, from seen to readable.", (("≤ {{le}} s", f'sum by (le) (seawall_time_to_pause_seconds_bucket{{{_MINE}, step="readable"}})'),)),
                Panel("Time to acknowledge", "From the pause readable to somebody taking it up, median.", (("{{integration}}", f"histogram_quantile(0.5, sum by (le, integration) (rate(seawall_time_to_acknowledge_seconds_bucket{{{_MINE}}}[1d])))"),), unit="s"),
                Panel("Operators", "Orders an hour, by outcome.", (("{{action}} {{outcome}}", "sum by (action, outcome) (increase(seawall_admin_actions_total[1h]))"),)),
            ),
        ),
        (
            "Is it written down?",
            (
                Panel("Journal append", "p99 of an append.", (("append", "histogram_quantile(0.99, sum by (le) (rate(seawall_journal_append_seconds_bucket[5m])))"),), unit="s"),
                Panel("Records", "A second.", (("records", "rate(seawall_journal_sequence[5m])"),), unit="ops"),
                Panel("Refused", "Appends an hour that the journal refused; pauses stay in memory, nothing is released.", (("refused", "increase(seawall_journal_errors_total[1h])"),)),
                Panel("Races lost", "Appends an hour that another was faster than, and decided again.", (("lost", "increase(seawall_journal_conflicts_total[1h])"),)),
            ),
        ),
    ),
)  # fmt: skip
