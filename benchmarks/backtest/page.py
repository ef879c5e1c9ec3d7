"""docs/gas.md and its picture, from the report of one back-test."""

from typing import Any

import numpy as np

from benchmarks.backtest.cold import RUNGS
from benchmarks.backtest.today import BLOBS_AHEAD
from detectors.gas.features import LAGS, RATES, WIDTH

HORIZONS = (2, 5, 25, 50, 300, 1800)
WAITS = (5, 25, 50, 300)
HIGH, WIDE, EDGE = 260, 900, 40


def page(report: dict[str, Any]) -> str:
    """The whole document; every number in it comes from the report."""
    ours, plain = report["mainnet"]["seawall"], report["mainnet"]["plain"]
    first = report["first_block"] + report["learned"]
    return f"""# Gas

Gas is advice: it never pauses and never throttles anything by itself.

This page was written on {report["day"]} by `{report["command"]} --write` (`make gas-backtest`). Headers are fed one at a time to
`seawall gas replay` and to the plain baseline (`--plain`); neither sees a block before it has answered the one before. Learned on
{report["learned"]:,} mainnet blocks, scored on the {report["scored"]:,} from {first:,} on.

![Base fee and its forecast fifty blocks ahead](gas.svg)

## What is known, and what is forecast

The next block's base fee is arithmetic (EIP-1559), and so is its blob fee (EIP-4844, 7691, 7918), an OP Stack chain's base fee
(Holocene, Jovian) and Arbitrum's, given the backlog. `detectors/gas/exact.py` computes them in integers. In this run
{ours["h1"]["wrong"]} answers for the next block were not exact. {report["misrecorded"]} of the headers were recorded wrongly: no
gas limit that the protocol allows after their parents' leads from them to the fee of their child, and nothing tells before the
child has come. Everything further out is a distribution.

* **Features.** {WIDTH} numbers, each O(1) a header: how far the fee is from its moving averages, how full the last blocks
  were ({LAGS} of them), volatility, the same hour of earlier days, and {len(RATES)} timetables.
* **Timetables.** Scheduled transactions come on the minute and the hour, and fullness follows the beacon chain's epoch of 32
  slots. How much fuller than usual each slot of the minute, the epoch, the hour and the day tends to be is learned as blocks
  come, and added up over the blocks still to come. It is most of what the plain baseline lacks.
* **Shapes.** How fullness was spread and not only its mean (a full block hides how much more wanted in), and where in the range
  of the last dozen to hundred blocks the fee stands. Only the network sees these.
* **Heads.** Medians by least absolute deviations, then a small network that corrects them and gives every quantile at once. The
  further ahead, the less of a correction is believed.
* **Intervals.** Each edge moves a little after every answer that has come true, so coverage holds when the regime does not.
* **Waiting.** Least-squares stopping (Longstaff and Schwartz) on the forecasts: one reservation price for each remaining wait.

## Error

MASE\\* is the mean absolute error over that of "the exact next fee, for ever". Below one is better than that.

| blocks ahead | {" | ".join(map(str, HORIZONS))} |
|---|{"---|" * len(HORIZONS)}
{_row("**seawall**", [ours[f"h{h}"]["mase"] for h in HORIZONS], ".3f")}
{_row("plain baseline", [plain[f"h{h}"]["mase"] for h in HORIZONS], ".3f")}
{_row("better by", [1 - ours[f"h{h}"]["mase"] / plain[f"h{h}"]["mase"] for h in HORIZONS], ".1%")}

## Intervals

| blocks ahead | {" | ".join(map(str, HORIZONS))} |
|---|{"---|" * len(HORIZONS)}
{_row("inside the 80 % interval", [ours[f"h{h}"]["in80"] for h in HORIZONS], ".1%")}
{_row("inside the 95 % interval", [ours[f"h{h}"]["in95"] for h in HORIZONS], ".1%")}
{_row("worst day, 80 %", [ours[f"h{h}"]["worst80"] for h in HORIZONS], ".1%")}
{_row("worst day, 95 %", [ours[f"h{h}"]["worst95"] for h in HORIZONS], ".1%")}
{_row("log Winkler score, 95 %", [ours[f"h{h}"]["winkler95"] for h in HORIZONS], ".3f")}
{_row("the same, plain baseline", [plain[f"h{h}"]["winkler95"] for h in HORIZONS], ".3f")}

## Fee caps

A cap is enough when the base fee of all of the next K blocks is at or below it. Headroom is the cap over the next base fee.

| | K = 5, 80 % | 95 % | 99 % | K = 25, 80 % | 95 % | 99 % |
|---|---|---|---|---|---|---|
{_row("enough", [ours[f"cap{k}"][f"in{q}"] for k in (5, 25) for q in (80, 95, 99)], ".1%")}
{_row("mean headroom", [ours[f"cap{k}"][f"headroom{q}"] for k in (5, 25) for q in (80, 95, 99)], ".3f")}

## Send now or wait

Of the saving that hindsight would have had, this share is captured when a request may wait so many blocks.

| blocks it may wait | {" | ".join(map(str, WAITS))} |
|---|{"---|" * len(WAITS)}
{_row("hindsight saves", [ours[f"wait{n}"]["hindsight"] for n in WAITS], ".1%")}
{_row("**captured**", [ours[f"wait{n}"]["captured"] for n in WAITS], ".1%")}
{_row("plain baseline captures", [plain[f"wait{n}"]["captured"] for n in WAITS], ".1%")}
{_row("worst day", [ours[f"wait{n}"]["worst_day"] for n in WAITS], ".1%")}
{_row("pays more than now", [ours[f"wait{n}"]["pays_more"] for n in WAITS], ".1%")}

## A chain of today

A seeded, synthetic chain with a base fee under 1 gwei, a gas limit of 60 million, and blobs under EIP-7918 with a blob-parameter
fork on the way. It shows that intervals hold in another regime; how well today's mainnet can be forecast it cannot show.

| blocks ahead | {" | ".join(map(str, HORIZONS[:-1]))} |
|---|{"---|" * len(HORIZONS[:-1])}
{_row("MASE", [report["today"][f"h{h}"]["mase"] for h in HORIZONS[:-1]], ".3f")}
{_row("inside the 80 % interval", [report["today"][f"h{h}"]["in80"] for h in HORIZONS[:-1]], ".1%")}
{_row("inside the 95 % interval", [report["today"][f"h{h}"]["in95"] for h in HORIZONS[:-1]], ".1%")}

Its blob fees: {report["blobs"]["wrong"]} of the next ones were not exact. Further out they follow the excess-gas recurrence under
the usual demand for blobs and the base-fee forecast, as far as that has been better than "as the next" at the same distance.

| blocks ahead | {" | ".join(map(str, BLOBS_AHEAD))} |
|---|{"---|" * len(BLOBS_AHEAD)}
{_row("MASE", [report["blobs"][f"h{h}"]["mase"] for h in BLOBS_AHEAD], ".3f")}
{_row("inside the 80 % interval", [report["blobs"][f"h{h}"]["in80"] for h in BLOBS_AHEAD], ".1%")}
{_row("inside the 95 % interval", [report["blobs"][f"h{h}"]["in95"] for h in BLOBS_AHEAD], ".1%")}

## From nothing

A chain nobody has watched before climbs a ladder: persistence, moving averages, a structural model (statsmodels: a local level
and an autoregressive swing) averaged with those, then the linear heads after {report["cold"]["fitted_after"]:,} headers, and the
network from 15,000 headers on. Intervals are tracked from the first header on. Pooled over
{report["cold"]["starts"]} starts on mainnet headers:

| rung | headers | MASE\\* 2 / 5 / 25 | inside 80 %, 2 / 5 / 25 | inside 95 %, 2 / 5 / 25 |
|---|---|---|---|---|
{chr(10).join(_rung(name, rows, report["cold"][name]) for name, rows in RUNGS.items())}

## Cost and limits

An answer took {report["answer_ms"]["0.5"]:.2f} ms (median) and {report["answer_ms"]["0.99"]:.2f} ms (99 of 100), the way
through two pipes and the wait for the other model included; the whole run, both models, {report["seconds"] / 60:.0f} minutes
and {report["cpu_seconds"] / 60:.1f} minutes of processor time. Fits run in a process of their own and are adopted a fixed number
of headers later, so the same headers give the same bytes on any machine.

{_held(report["held"])}

The mainnet headers are from before blobs, under one gas limit. Priority fees and layer-2 chains are not scored here;
`tests/detectors/gas/test_arbitrum.py` holds Arbitrum's to Nitro's arithmetic on a simulated chain.
"""


def _held(held: dict[str, Any]) -> str:
    worked, late = held["worked_ms"], held["late_ms"]
    return f"""Beside the fit of a network, the daemon's own desk held its event loop for {worked["max"]:.1f} ms of its own work
at the longest (99 of 100 turns: {worked["p99"]:.1f} ms). A ticker came {late["p99"]:.1f} ms late in 99 of 100 cases and at most
{late["max"]:.1f} ms, which includes what the fit and others took from two cores."""


def picture(rows: np.ndarray) -> str:
    """An SVG: each block's base fee over the band that was forecast for it fifty blocks before."""
    ahead = 50
    fee, bands = rows[ahead:, 0], rows[:-ahead, 1:]
    low, high = float(min(bands[:, 1].min(), fee.min())), float(max(bands[:, 4].max(), fee.max()))

    def points(values: np.ndarray) -> list[str]:
        across = np.linspace(EDGE, WIDE - 10, len(values))
        down = HIGH - 20 - (values - low) / (high - low) * (HIGH - 40)
        return [f"{x:.0f},{y:.1f}" for x, y in zip(across, down, strict=True)]

    def band(lower: int, upper: int, shade: str) -> str:
        outline = points(bands[:, upper]) + points(bands[:, lower])[::-1]
        return f'<polygon points="{" ".join(outline)}" fill="{shade}"/>'

    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>',
        band(1, 4, "#d6e4f0"),
        band(2, 3, "#a9c7e0"),
        f'<polyline points="{" ".join(points(bands[:, 0]))}" fill="none" stroke="#2f6ea3" stroke-width="1"/>',
        f'<polyline points="{" ".join(points(fee))}" fill="none" stroke="#1a1a1a" stroke-width="1"/>',
        f'<text x="4" y="24">{high:.0f}</text><text x="4" y="{HIGH - 20}">{low:.0f}</text>',
        f'<text x="4" y="{HIGH / 2:.0f}">gwei</text>',
        f'<text x="{EDGE}" y="{HIGH - 4}">{len(fee)} blocks: base fee (black); median, 80 and 95 % fifty ahead</text>',
        "</svg>\n",
    ])  # fmt: skip


def _rung(name: str, rows: tuple[int, int], scores: dict[str, dict[str, float]]) -> str:
    cells = [" / ".join(format(each[what], form) for each in scores.values()) for what, form in
             (("mase", ".2f"), ("in80", ".0%"), ("in95", ".0%"))]  # fmt: skip
    return f"| {name} | {rows[0]:,} to {rows[1]:,} | " + " | ".join(cells) + " |"


def _row(name: str, values: list[float], form: str) -> str:
    return f"| {name} | " + " | ".join(format(value, form) for value in values) + " |"
