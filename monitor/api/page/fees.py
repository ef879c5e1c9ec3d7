"""The page's part on fees, as HTML: a table that is complete without any script, and a place where a script draws the fan."""

import time
from collections.abc import Iterable
from html import escape

from monitor.gas.answers import Oracle, Outlook

SHOWN = ("1", "2", "5", "10", "25", "50", "300", "1800")


def render(oracles: Iterable[Oracle]) -> str:
    """Every forecast chain; nothing at all where there is none."""
    parts = "".join(map(_chain, oracles))
    return f'<section aria-labelledby="h-fees"><h2 id="h-fees">Fees (advice only)</h2>{parts}</section>' if parts else ""


def _chain(oracle: Oracle) -> str:
    name, outlook = escape(oracle.name), oracle.outlook
    if outlook is None:
        return f'<article class="fees"><h3>{name}</h3><p class="quiet">{escape(oracle.trouble or "no block yet")}</p></article>'
    doubt = f'<p class="doubt">Degraded: {escape(outlook.degraded)}</p>' if outlook.degraded else ""
    return (
        f'<article class="fees"><h3>{name}</h3><p>Next base fee: <strong>{_gwei(outlook.next_fee_wei / 1e9)} gwei</strong>, '
        f"exactly; after block {outlook.block.number}, {max(0.0, time.time() - outlook.seen_at):.0f} s ago</p>{doubt}"
        f"{_table(outlook)}</article>"
    )


def _table(outlook: Outlook) -> str:
    titles = ("Blocks ahead", "Median", "80 % from", "to", "95 % from", "to")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    rows = "".join(
        f'<tr><th scope="row">{blocks}</th>'
        + "".join(f"<td>{_gwei(fee)}</td>" for fee in (fan.point, fan.q10, fan.q90, fan.q025, fan.q975))
        + "</tr>"
        for blocks, fan in outlook.ahead.items()
        if str(blocks) in SHOWN
    )
    return (
        '<div class="scroll" role="group" aria-label="Fees ahead" tabindex="0"><table><caption>gwei</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _gwei(fee: float) -> str:
    """Four digits, whatever the size.

    >>> _gwei(31.415926), _gwei(0.000000007)
    ('31.42', '7e-09')
    """
    return f"{fee:.4g}"


def places(oracles: Iterable[Oracle]) -> str:
    """Where the fans are drawn; apart from the tables, which are replaced every few seconds."""
    return "".join(
        f'<figure class="fan" data-chain="{escape(oracle.name)}" hidden><figcaption>{escape(oracle.name)}: base fee, gwei, so '
        f"far and 50 blocks ahead; 80 % and 95 % intervals</figcaption></figure>"
        for oracle in oracles
    )
