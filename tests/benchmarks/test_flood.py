"""The flood, small: attacks are judged before the bulk of the cheap calls that came before them."""

from benchmarks.flood import run


async def test_attacks_that_come_after_a_flood_are_paused_before_most_of_it_was_looked_at() -> None:
    report = await run(1_200, 0, 1, ["flood"])
    told = report["lanes"]["flood"]
    assert told["n"] == 2
    assert told["flood_judged_before_pause"]["max"] < 0.5
    assert report["unjudged"]["late"] == 0
