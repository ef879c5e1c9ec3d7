"""Fitted models as journal records: coefficients and the blocks they were fitted on, bit for bit, and no pickle."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from monitor.journal.base import Record

if TYPE_CHECKING:
    from detectors.gas.model import Model

KIND = "gas_model"


class GasModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that answered from then on. `coefficients` are numpy's `npz` arrays, `digest` their SHA-256."""

    chain: str
    name: str
    first: int
    last: int
    digest: str
    coefficients: bytes


class ModelUnreadable(ValueError):
    """A record whose coefficients are damaged, or of a version with other features."""


class Newest:
    """The newest model of every chain, picked from the journal's records as they pass by."""

    def __init__(self) -> None:
        self.models: dict[str, GasModel] = {}

    def passing(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records, remembered where they are models."""
        for record in records:
            if record.kind == KIND:
                model = record.read(GasModel)
                self.models[model.chain] = model
            yield record


def recorded(chain: str, model: "Model") -> GasModel:
    """A model as the journal keeps it."""
    import numpy as np  # noqa: PLC0415 - the daemon starts without it

    held = io.BytesIO()
    np.savez_compressed(held, allow_pickle=False, **_arrays(model))
    made = held.getvalue()
    digest = hashlib.sha256(made).hexdigest()
    return GasModel(chain=chain, name=model.name, first=model.first, last=model.last, digest=digest, coefficients=made)


def restored(record: GasModel) -> "Model":
    """The model of a record. Raises ModelUnreadable."""
    import numpy as np  # noqa: PLC0415 - as above

    from detectors.gas.advice import Stopping  # noqa: PLC0415 - as above
    from detectors.gas.features import HORIZONS, WIDTH  # noqa: PLC0415 - as above
    from detectors.gas.heads import Linear  # noqa: PLC0415 - as above
    from detectors.gas.model import Model  # noqa: PLC0415 - as above
    from detectors.gas.network import Network  # noqa: PLC0415 - as above

    if hashlib.sha256(record.coefficients).hexdigest() != record.digest:
        raise ModelUnreadable("its coefficients are not those that were recorded")
    try:
        with np.load(io.BytesIO(record.coefficients), allow_pickle=False) as kept:
            held = dict(kept.items())
        linear = Linear(*(held[f"linear.{part}"] for part in Linear.__struct_fields__))
        if linear.beta.shape != (WIDTH, len(HORIZONS)):
            raise ModelUnreadable(f"fitted on {linear.beta.shape[0]} features, {WIDTH} are known here")
        waits = [held[f"stopping.{part}"] for part in Stopping.__struct_fields__ if "stopping.beta" in held]
        stopping = Stopping(*waits) if waits else None
        layers = sum(name.startswith("weights.") for name in held)
        network = Network(*([held[f"{part}.{i}"] for i in range(layers)] for part in ("weights", "biases"))) if layers else None
        return Model(
            record.first, record.last, linear, held["spread"], stopping, network,
            held.get("mean"), held.get("scale"), held.get("unit"), kind=str(held["kind"]),
        )  # fmt: skip
    except (KeyError, OSError, ValueError) as error:
        raise ModelUnreadable(f"its coefficients cannot be read: {error}") from error


def _arrays(model: "Model") -> dict[str, Any]:
    held: dict[str, Any] = {f"linear.{part}": getattr(model.linear, part) for part in model.linear.__struct_fields__}
    held |= {"spread": model.spread, "kind": model.kind}
    if model.stopping is not None:
        held |= {f"stopping.{part}": getattr(model.stopping, part) for part in model.stopping.__struct_fields__}
    if model.network is not None:
        held |= {f"weights.{i}": weight for i, weight in enumerate(model.network.weights)}
        held |= {f"biases.{i}": bias for i, bias in enumerate(model.network.biases)}
        held |= {"mean": model.mean, "scale": model.scale, "unit": model.unit}
    return held
