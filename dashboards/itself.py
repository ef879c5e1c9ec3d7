"""Seawall itself: is it well, does it keep up, does it get through to people, and what of its error budget is left?"""

from dashboards.layout import Board, Panel

BOARD = Board(
    "itself",
    "queue",
    "seawall_queue_depth",
    (
        (
            "Is it well?",
            (
                Panel("Ready", "1 once the journal is folded and every feed has synced once.", (("ready", "seawall_ready"),), "stat", width=6, height=4),
                Panel("Build", "What runs.", (("{{version}}", "seawall_build_info"),), "stat", width=6, height=4),
                Panel("Configuration", "Its hash; a change here is a restart.", (("{{hash}}", "seawall_config_hash_info"),), "stat", width=6, height=4),
                Panel("Last read again", "1 unless it could not be used; and how long ago it could (never: since 1970).", (("usable", "seawall_config_last_reload_successful"), ("ago", "time() - seawall_config_last_reload_success_timestamp_seconds")), width=6, height=4),
                Panel("Parts begun again", "An hour, after an unexpected failure.", (("{{part}}", "sum by (part) (increase(seawall_part_failures_total[1h]))"),)),
                Panel("Proofs of life lost", "An hour; and 1 while flags are unknown for it.", (("{{chain}}", "sum by (chain) (increase(seawall_canary_lost_total[1h]))"), ("{{chain}} doubt", "seawall_canary_doubt"))),
                Panel("Since the last proof of life", "And how often one is sent.", (("{{chain}}", "time() - seawall_canary_last_success_timestamp_seconds"), ("{{chain}} every", "seawall_canary_interval_seconds")), unit="s"),
                Panel("Tape lost", "Entries that no tape took after it had to end early.", (("entries", "seawall_tape_lost_total"),)),
            ),
        ),
        (
            "Does it keep up?",
            (
                Panel("Event loop lag", "How late the loop ran at the last tick.", (("lag", "seawall_loop_lag_seconds"),), unit="s"),
                Panel("Our own bursts", "How long our own work held the loop, p99 and median.", (("p99", "histogram_quantile(0.99, sum by (le) (rate(seawall_loop_burst_seconds_bucket[5m])))"), ("median", "histogram_quantile(0.5, sum by (le) (rate(seawall_loop_burst_seconds_bucket[5m])))")), unit="s"),
                Panel("Queues", "Items waiting.", (("{{queue}}", 'seawall_queue_depth{queue=~"$queue"}'),)),
                Panel("Flag reads", "A second, by protocol and code.", (("{{protocol}} {{code}}", "sum by (protocol, code) (rate(seawall_flag_reads_total[1m]))"),), unit="reqps"),
                Panel("Stream clients", "Connected.", (("{{protocol}}", "seawall_flag_clients"),)),
                Panel("Connections refused", "A minute, and why.", (("{{listener}} {{why}}", "60 * sum by (listener, why) (rate(seawall_connections_refused_total[5m]))"),)),
            ),
        ),
        (
            "Does it get through?",
            (
                Panel("Deliveries", "Attempts an hour by receiver and outcome.", (("{{receiver}} {{outcome}}", "sum by (receiver, outcome) (increase(seawall_alerts_total[1h]))"),)),
                Panel("Waiting", "Notifications not yet delivered.", (("waiting", "seawall_alert_outbox_depth"),)),
                Panel("What came back", "An hour, by receiver: taken up, given back, forged and the rest.", (("{{receiver}} {{outcome}}", "sum by (receiver, outcome) (increase(seawall_alert_replies_total[1h]))"),)),
                Panel("Kept back", "Alerts an hour that were not told while their chain was out of sight.", (("{{chain}}", "sum by (chain) (increase(seawall_alerts_kept_back_total[1h]))"),)),
                Panel("The oldest of them", "How long it has waited; 0: none does.", (("oldest", "(seawall_alert_outbox_oldest_timestamp_seconds > bool 0) * (time() - seawall_alert_outbox_oldest_timestamp_seconds)"),), unit="s"),
            ),
        ),
        (
            "What of the error budget is left?",
            (
                Panel("Flags unknown", "Share of flags and time, over an hour and six; the budget of a month is 0.1 %.", (("1 h", "seawall:flags_unknown:ratio1h"), ("6 h", "seawall:flags_unknown:ratio6h")), unit="percentunit"),
                Panel("Burn rate", "1 uses up the month's budget in a month; 14.4 pages.", (("1 h", "seawall:flags_unknown:ratio1h / 0.001"), ("6 h", "seawall:flags_unknown:ratio6h / 0.001"))),
            ),
        ),
    ),
)  # fmt: skip
