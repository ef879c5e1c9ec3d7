"""Figures before anything happened: a series that begins with its first event has lost it to every increase and alert rule."""

from collections.abc import Iterable

from prometheus_client import Counter

from monitor import metrics
from monitor.config import Config

_OF_A_CHAIN: tuple[Counter, ...] = (
    metrics.REORGS, metrics.FINALITY_BROKEN, metrics.NODE_MOVES, metrics.ALERTS_KEPT_BACK, metrics.GAS_WRONG,
)  # fmt: skip
_ORDERS = ("pause", "resume", "override", "approve", "acknowledge")


def begin(config: Config, detectors: Iterable[str]) -> None:
    """Have every counter that a rule or a dashboard takes an increase of stand at zero, for all that the configuration names."""
    detectors = tuple(detectors)
    for detector in detectors:
        metrics.DETECTOR_ERRORS.labels(detector)
    for name in config.integrations:
        metrics.RETRACTIONS.labels(name)
        for detector in detectors:
            metrics.WOULD_PAUSES.labels(name, detector)
    for chain in config.chains.values():
        _chain(chain.id, [node.name for node in chain.nodes])
    for receiver in config.alerts.receivers:
        for outcome in ("taken_up", "given_back", "forged"):
            metrics.ALERT_REPLIES.labels(receiver, outcome)
    for order in _ORDERS:
        metrics.ADMIN_ACTIONS.labels(order, "200")
    for listener in ("read", "admin"):
        for why in ("full", "slow"):
            metrics.CONNECTIONS_REFUSED.labels(listener, why)


def _chain(chain: str, nodes: Iterable[str]) -> None:
    for counter in _OF_A_CHAIN:
        counter.labels(chain)
    metrics.REORG_DEPTH.labels(chain)
    metrics.GAS_HISTORY.labels(chain)
    metrics.RERUNS.labels(chain, "passed over")
    for reason in ("shed", "error"):
        metrics.UNJUDGED.labels(chain, reason)
    for topic in ("simulate", "pending"):
        metrics.DROPPED.labels(chain, topic)
    for check in ("header_hash", "receipts_root"):
        metrics.NODE_CHECKS.labels(chain, check, "failed")
    for outcome in ("undecodable", "unclaimed"):
        metrics.FRAMES_BAD.labels(chain, outcome)
    for outcome in ("fitted", "failed", "died"):
        metrics.GAS_FITS.labels(chain, outcome)
    for node in nodes:
        metrics.THROTTLED.labels(chain, node)
