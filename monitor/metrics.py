"""Every metric Seawall exports, declared once. Labels come from configuration ids only, never from a chain.

Timestamps are exported and ages computed in PromQL. A panel, rule or document that names a metric not declared here fails a test.
"""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped

REGISTRY = CollectorRegistry()


class Declared(NamedTuple):
    """What is declared of a metric: its name (a histogram's without suffix), what it says, its labels."""

    name: str
    text: str
    labels: tuple[str, ...]
    histogram: bool = False


DECLARED: list[Declared] = []
"""Every one, in order."""

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 12.0)
_PEOPLE = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
_DEPTHS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0, 64.0)
_BLOCKS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0, 60.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    DECLARED.append(Declared(name, text, labels))
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    DECLARED.append(Declared(name, text, labels))
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    DECLARED.append(Declared(name, text, labels, histogram=True))
    return Histogram(name, text, labels, buckets=buckets, registry=REGISTRY)


BUILD = _gauge("seawall_build_info", "1, with the running version.", "version")
CONFIG_HASH = _gauge("seawall_config_hash_info", "1, with the hash of the configuration in force.", "hash")
RELOAD_OK = _gauge("seawall_config_last_reload_successful", "1 unless the configuration could not be used when last read again.")
RELOADED_AT = _gauge("seawall_config_last_reload_success_timestamp_seconds", "When it was last read again; 0 if never.")
READY = _gauge("seawall_ready", "1 once the journal is folded and every feed has synced once.")

PAUSED = _gauge("seawall_paused", "1 while the integration's boolean flag says do not use.", "integration")
FLAG_STATE = _gauge("seawall_flag_state", "One-hot: what readers are told.", "integration", "state")
BREAKER_STATE = _gauge("seawall_state", "One-hot: the breaker's own state.", "integration", "state")
WOULD_PAUSE = _gauge("seawall_would_pause", "1 while a shadow integration would be paused if enforced.", "integration")
WOULD_PAUSES = _counter(
    "seawall_would_pauses_total", "Findings of shadowed detectors that would have paused.", "integration", "detector"
)
TRANSITIONS = _counter("seawall_transitions_total", "Breaker transitions.", "integration", "from_state", "to_state", "cause")
RISK = _gauge("seawall_risk_score", "The highest live confidence, 0..1.", "integration")
SIGNALS = _counter("seawall_signals_total", "Findings made.", "detector", "chain", "severity")
DETECTION_LATENCY = _histogram(
    "seawall_detection_latency_seconds", "From the event seen to the decision published.", _FAST, "chain", "stage"
)
TIME_TO_PAUSE = _histogram(
    "seawall_time_to_pause_seconds", "From the cause seen to the pause decided, readable, recorded.", _FAST, "integration", "step"
)
TIME_TO_ACKNOWLEDGE = _histogram(
    "seawall_time_to_acknowledge_seconds", "From the pause readable to somebody taking it up.", _PEOPLE, "integration"
)
PAUSE_READY = _gauge(
    "seawall_pause_ready", "1 while the pause on the chain would succeed, 0 if it would fail; NaN: unknown.", "integration"
)
CANARY_SECONDS = _histogram("seawall_canary_seconds", "From a synthetic attack sent to its flag read back.", _FAST, "chain")
CANARY_LOST = _counter("seawall_canary_lost_total", "Synthetic attacks that did not come back.", "chain")
CANARY_LAST = _gauge("seawall_canary_last_success_timestamp_seconds", "When one last came back; at first, the start.", "chain")
CANARY_EVERY = _gauge("seawall_canary_interval_seconds", "How often one is sent.", "chain")
CANARY_DOUBT = _gauge("seawall_canary_doubt", "1 while the chain's flags are unknown because they were lost.", "chain")
UNJUDGED = _counter("seawall_unjudged_total", "Executions that could not be judged.", "chain", "reason")
PENDING_CAME = _counter("seawall_pending_calls_total", "Pending contract calls that came to be judged.", "chain")
PENDING_ENDED = _counter("seawall_pending_calls_ended_total", "How pending contract calls ended.", "chain", "end")
PENDING_OPEN = _gauge("seawall_pending_calls_open", "Pending contract calls that came and have not ended.", "chain")
DETECTOR_ERRORS = _counter("seawall_detector_errors_total", "Events a detector failed on.", "detector")

HEAD_TIMESTAMP = _gauge("seawall_chain_head_timestamp_seconds", "The chain's own time of the newest processed head.", "chain")
HEAD_SEEN = _gauge("seawall_chain_head_seen_timestamp_seconds", "Our time when that head was processed.", "chain")
HEAD_NUMBER = _gauge("seawall_chain_head_number", "Height of the newest processed head.", "chain")
REORGS = _counter("seawall_reorgs_total", "Reorganisations followed.", "chain")
REORG_DEPTH = _histogram("seawall_reorg_depth_blocks", "Blocks taken back by a reorganisation.", _DEPTHS, "chain")
REORG_RISK = _gauge("seawall_reorg_probability", "Share of newest blocks that were later replaced, smoothed.", "chain")
SAFE_NUMBER = _gauge("seawall_chain_safe_number", "Height that counts as safe; -1 while unknown.", "chain")
FINALIZED_NUMBER = _gauge("seawall_chain_finalized_number", "Height that counts as final; -1 while unknown.", "chain")
FINALITY_BROKEN = _counter("seawall_finality_violations_total", "Times a chain contradicted what was final.", "chain")
L1_DATA_FEE = _gauge("seawall_l1_data_fee_wei", "What layer 1 charges for a swap's data; NaN while unknown.", "chain")
RETRACTIONS = _counter("seawall_retractions_total", "Findings taken back after a reorganisation.", "integration")
CAPABILITY = _gauge("seawall_chain_capability", "1 where the node offers it, 0 where we do without.", "chain", "capability")
BLOCK_SECONDS = _histogram("seawall_block_process_seconds", "From a block seen to its commit.", _BLOCKS, "chain")

POOLS_UNREAD = _gauge("seawall_pools_unread", "Watched contracts whose last read told no state.", "chain")
EVENTS = _counter("seawall_events_total", "Events through the pipeline.", "chain", "kind")
DROPPED = _counter("seawall_subscription_dropped_total", "Items a feed lost by its declared rule.", "chain", "topic")
QUEUE_DEPTH = _gauge("seawall_queue_depth", "Items waiting.", "queue")
FRAMES_BAD = _counter("seawall_node_frames_bad_total", "Frames from a node that were not usable JSON-RPC.", "chain", "outcome")
RPC_REQUESTS = _counter("seawall_rpc_requests_total", "JSON-RPC calls by outcome.", "chain", "provider", "method", "outcome")
RPC_SECONDS = _histogram("seawall_rpc_request_duration_seconds", "JSON-RPC call durations.", _FAST, "chain", "provider", "method")
NODE_UP = _gauge("seawall_node_up", "1 while the node's sockets are open and it answers.", "chain", "provider")
NODE_STATE = _gauge("seawall_node_state", "One-hot: what we think of the node.", "chain", "provider", "state")
NODE_CHECKS = _counter(
    "seawall_node_checks_total", "Checks of what nodes say, by outcome; skipped is not passed.", "chain", "check", "outcome"
)
COVERAGE = _gauge(
    "seawall_coverage_ratio", "Blocks processed over blocks of the chain since the start; below 1, some are missing.", "chain"
)
BEHIND = _gauge("seawall_chain_blocks_behind", "Blocks that the node has and we have not processed.", "chain")
LIVE = _gauge("seawall_subscription_live", "0 while a subscription that was granted delivers nothing.", "chain", "topic")
HEDGES = _counter(
    "seawall_hedges_total", "Questions asked of a second node: sent, won, spared for want of budget.", "chain", "outcome"
)
THROTTLED = _counter("seawall_node_throttled_total", "Refusals of a node because it was asked too much.", "chain", "provider")
DEGRADED = _gauge("seawall_chain_degraded", "1 while no second node could take over, or none better was there.", "chain")
NODE_MOVES = _counter("seawall_node_moves_total", "How often another node took the lead.", "chain")

RERUNS = _counter("seawall_reruns_total", "Pending transactions run again in other environments.", "chain", "outcome")
SANCTIONS_PARTIES = _gauge("seawall_sanctions_parties", "Parties on a sanctions list that is in force.", "list")
SANCTIONS_TROUBLE = _gauge("seawall_sanctions_trouble", "1 while a list's file cannot be read as it is.", "list")

CONNECTIONS_REFUSED = _counter(
    "seawall_connections_refused_total", "Connections shut out: full, or slow to ask or to read.", "listener", "why"
)
FLAG_READS = _counter("seawall_flag_reads_total", "Flag reads served.", "protocol", "code")
STREAM_CLIENTS = _gauge("seawall_flag_clients", "Connected change-stream clients.", "protocol")
ADMIN_ACTIONS = _counter("seawall_admin_actions_total", "Operator actions by outcome.", "action", "outcome")

ALERTS = _counter("seawall_alerts_total", "Notification attempts.", "receiver", "outcome")
ALERT_REPLIES = _counter("seawall_alert_replies_total", "What receivers said of our alerts, by outcome.", "receiver", "outcome")
ALERTS_KEPT_BACK = _counter("seawall_alerts_kept_back_total", "Alerts not told while their chain was out of sight.", "chain")
OUTBOX_OLDEST = _gauge("seawall_alert_outbox_oldest_timestamp_seconds", "When the oldest of them was made; 0 if none.")
OUTBOX_DEPTH = _gauge("seawall_alert_outbox_depth", "Notifications not yet delivered.")

JOURNAL_SEQUENCE = _gauge("seawall_journal_sequence", "Sequence of the newest journal record.")
JOURNAL_SECONDS = _histogram("seawall_journal_append_seconds", "Durations of journal appends.", _FAST)
JOURNAL_CONFLICTS = _counter("seawall_journal_conflicts_total", "Appends that lost the race and decided again.")
JOURNAL_ERRORS = _counter("seawall_journal_errors_total", "Appends the journal refused; pauses stay in memory.")
TAPE_LOST = _counter("seawall_tape_lost_total", "Entries that no tape took after it had to end early.")
PARTS_FAILED = _counter("seawall_part_failures_total", "Parts that failed unexpectedly and were begun again.", "part")
LOOP_LAG = _gauge("seawall_loop_lag_seconds", "How late the event loop ran at the last tick.")
LOOP_BURST = _histogram("seawall_loop_burst_seconds", "How long our own work held the event loop, sampled.", _FAST)

GAS_FORECAST = _gauge("seawall_gas_forecast_wei", "Base fee so many blocks ahead.", "chain", "horizon", "quantile")
GAS_CAP = _gauge("seawall_gas_cap_wei", "Base fee that is enough for all of the next blocks.", "chain", "blocks", "level")
GAS_BASE_FEE = _gauge("seawall_gas_base_fee_wei", "Base fee of the newest verified block.", "chain")
GAS_PRIORITY = _gauge("seawall_gas_priority_fee_wei", "Priority fee to offer for the next block.", "chain", "offer")
GAS_BLOB_FEE = _gauge("seawall_gas_blob_fee_wei", "Blob base fee of the next block.", "chain")
GAS_COVERAGE = _gauge(
    "seawall_gas_coverage_ratio", "Answers inside their interval, a day's worth.", "chain", "horizon", "interval"
)
GAS_PINBALL = _gauge("seawall_gas_pinball_loss", "Mean pinball loss of the answers, in log units.", "chain", "horizon")
GAS_MASE = _gauge("seawall_gas_mase_ratio", "Mean error over that of saying: as the next.", "chain", "horizon")
GAS_SURPRISE = _gauge("seawall_gas_surprise_ratio", "Widths by which the fee has left its forecast.", "chain")
GAS_DEGRADED = _gauge("seawall_gas_degraded", "1 while forecasts are not to be relied on; the answer says why.", "chain")
GAS_MODEL_LAST = _gauge("seawall_gas_model_last_block", "Last block the model in use was fitted on; 0 if none.", "chain")
GAS_RUNG = _gauge("seawall_gas_rung", "1 for the rung of the ladder that answers.", "chain", "rung")
GAS_HISTORY = _gauge("seawall_gas_history_blocks", "Blocks that the next model would be fitted on.", "chain")
GAS_FITS = _counter("seawall_gas_fits_total", "Models fitted, failed, and processes that died over one.", "chain", "outcome")
GAS_WRONG = _counter("seawall_gas_next_fee_wrong_total", "Next fees told as exact that were not.", "chain")
GAS_STEP = _histogram("seawall_gas_step_seconds", "Stretches for which forecasting held the loop.", _FAST, "chain")
