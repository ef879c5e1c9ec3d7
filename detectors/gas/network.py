"""A small network trained on the pinball loss: what is not linear in how blocks fill, and how uncertain each answer is.

Rectified layers, Adam, decoupled weight decay, a cosine for the step. Single precision; the same seed gives the same bits.
"""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]

BATCH = 1024
ROUND = 0.02
"""The pinball loss is rounded this near zero (in units of the target), so that the step settles."""


class Network(msgspec.Struct, frozen=True):
    """Weights and biases of each layer."""

    weights: list[Single]
    biases: list[Single]

    def predict(self, inputs: Single) -> Single:
        """(..., inputs) in, (..., outputs) out."""
        state = inputs
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            state = np.maximum(state @ weight + bias, np.float32(0))
        return state @ self.weights[-1] + self.biases[-1]


def train(
    inputs: Single, targets: Single, taus: Single, importance: Single, *,
    hidden: Sequence[int] = (128, 64), epochs: int = 4, rate: float = 1e-3, decay: float = 1.0, seed: int = 0,
) -> Network:  # fmt: skip
    """Fit outputs at the quantiles `taus` of `targets` (rows, outputs); NaN targets teach nothing.

    Starts from outputs of nearly zero, so on little data the answer is nearly what it corrects.
    """
    draw = np.random.default_rng(seed)
    network = _begin([inputs.shape[1], *hidden, targets.shape[1]], draw)
    adam = _Adam(network)
    batches = max(len(inputs) // BATCH, 1)
    total, done = epochs * batches, 0
    warm = min(200, max(total // 10, 1))
    for _ in range(epochs):
        order = draw.permutation(len(inputs))
        for batch in range(batches):
            chosen = order[batch * BATCH : (batch + 1) * BATCH]
            step = (done + 1) / warm if done < warm else 0.5 * (1 + np.cos(np.pi * done / total))
            adam.step(_gradients(network, inputs[chosen], targets[chosen], taus, importance), rate * step, decay)
            done += 1
    return network


def _begin(sizes: Sequence[int], draw: np.random.Generator) -> Network:
    weights = [
        (draw.standard_normal((fan, out)) * np.sqrt((2.0 if layer < len(sizes) - 2 else 0.1) / fan)).astype(np.float32)
        for layer, (fan, out) in enumerate(pairwise(sizes))
    ]
    return Network(weights, [np.zeros(out, np.float32) for out in sizes[1:]])


def _gradients(network: Network, inputs: Single, targets: Single, taus: Single, importance: Single) -> list[Single]:
    """Of the mean rounded pinball loss, for every weight and then every bias."""
    states = [inputs]
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        state = states[-1] @ weight + bias
        states.append(state if layer == len(network.weights) - 1 else np.maximum(state, np.float32(0)))
    slope = np.clip((states[-1] - targets) / np.float32(ROUND), -1, 1) * np.float32(0.5) + (np.float32(0.5) - taus)
    slope = np.where(np.isnan(slope), np.float32(0), slope) * (importance / np.float32(len(inputs)))
    of_weights: list[Single] = []
    of_biases: list[Single] = []
    for layer in range(len(network.weights) - 1, -1, -1):
        of_weights.append(states[layer].T @ slope)
        of_biases.append(slope.sum(axis=0))
        if layer:
            slope = (slope @ network.weights[layer].T) * (states[layer] > 0)
    return of_weights[::-1] + of_biases[::-1]


class _Adam:
    """Kingma and Ba's optimiser with Loshchilov and Hutter's decay of the weights (not the biases)."""

    def __init__(self, network: Network) -> None:
        self.parts = [*network.weights, *network.biases]
        self.decayed = len(network.weights)
        self.first = [np.zeros_like(part) for part in self.parts]
        self.second = [np.zeros_like(part) for part in self.parts]
        self.count = 0

    def step(self, gradients: list[Single], rate: float, decay: float) -> None:
        self.count += 1
        tilt, spread = 1 - 0.9**self.count, 1 - 0.999**self.count
        for index, (part, gradient) in enumerate(zip(self.parts, gradients, strict=True)):
            first, second = self.first[index], self.second[index]
            first *= np.float32(0.9)
            first += np.float32(0.1) * gradient
            second *= np.float32(0.999)
            second += np.float32(0.001) * gradient * gradient
            if index < self.decayed:
                np.multiply(part, np.float32(1 - rate * decay), out=part)
            np.subtract(
                part, np.float32(rate / tilt) * first / (np.sqrt(second / np.float32(spread)) + np.float32(1e-8)), out=part
            )
