"""An outlook as gauges: labels are horizons, quantiles and levels, all from a fixed list."""

from monitor import metrics
from monitor.gas.answers import RUNGS, Outlook


def show(outlook: Outlook) -> None:
    """Set every gauge of this chain."""
    chain = outlook.chain
    metrics.GAS_BASE_FEE.labels(chain).set(outlook.base_fee_wei)
    for blocks, spread in outlook.ahead.items():
        for quantile in spread.__struct_fields__:
            fee = outlook.next_fee_wei if blocks == 1 else getattr(spread, quantile) * 1e9
            metrics.GAS_FORECAST.labels(chain, str(blocks), quantile).set(fee)
    for blocks, caps in outlook.caps.items():
        for level, fee in caps.items():
            metrics.GAS_CAP.labels(chain, str(blocks), level).set(fee * 1e9)
    _lived(outlook)
    if outlook.priority_wei is not None:
        for offer in ("cheap", "usual", "urgent"):
            metrics.GAS_PRIORITY.labels(chain, offer).set(getattr(outlook.priority_wei, offer))
    if outlook.blob_wei is not None:
        metrics.GAS_BLOB_FEE.labels(chain).set(outlook.blob_wei.next_fee)
    metrics.GAS_SURPRISE.labels(chain).set(outlook.surprise)
    metrics.GAS_DEGRADED.labels(chain).set(outlook.degraded is not None)
    for rung in RUNGS:
        metrics.GAS_RUNG.labels(chain, rung).set(outlook.model.name == rung)
    metrics.GAS_MODEL_LAST.labels(chain).set(outlook.model.last or 0)


def _lived(outlook: Outlook) -> None:
    chain = outlook.chain
    for blocks, lived in outlook.lived.items():
        metrics.GAS_COVERAGE.labels(chain, str(blocks), "80").set(lived.coverage80)
        metrics.GAS_COVERAGE.labels(chain, str(blocks), "95").set(lived.coverage95)
        metrics.GAS_PINBALL.labels(chain, str(blocks)).set(lived.pinball)
        if lived.mase is not None:
            metrics.GAS_MASE.labels(chain, str(blocks)).set(lived.mase)
