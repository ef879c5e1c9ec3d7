"""`/metrics` in both of its languages: plain text for anybody, OpenMetrics with exemplars for who asks for it."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.monitor.api.conftest import Doors

OPEN = "application/openmetrics-text; version=1.0.0"


async def test_a_time_to_pause_names_its_incident_in_openmetrics_and_plain_text_has_no_place_for_it(doors: Doors) -> None:
    (await doors.pause("drill")).release()
    incident = doors.desk.made[-1].decision.id
    async with doors.http.get(f"{doors.read.url}/metrics", headers={"Accept": OPEN}) as answer:
        assert answer.content_type == "application/openmetrics-text"
        families = {one.name: one for one in text_string_to_metric_families(await answer.text())}  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
    told = {
        sample.exemplar.labels["incident"]
        for sample in families["seawall_time_to_pause_seconds"].samples
        if sample.exemplar is not None and sample.labels["integration"] == "bank"
    }
    assert incident in told
    async with doors.http.get(f"{doors.read.url}/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert incident not in await answer.text()
