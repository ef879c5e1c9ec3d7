"""How a dashboard is made: panels as data, laid out in rows, built with Grafana's own SDK into JSON text."""

from itertools import count
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

HERE = Path(__file__).parent
_COLUMNS = 24
_KINDS: dict[str, type[stat.Panel | statetimeline.Panel | timeseries.Panel]] = {
    "stat": stat.Panel,
    "timeline": statetimeline.Panel,
    "timeseries": timeseries.Panel,
}


class Panel(NamedTuple):
    """A panel: what it shows, the queries (legend, PromQL), how, its unit and its width of 24 columns.

    `exemplars`: single observations are shown on it too, each with the incident that it was.
    """

    title: str
    why: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 12
    height: int = 7
    exemplars: bool = False


Rows = tuple[tuple[str, tuple[Panel, ...]], ...]
"""Titled rows of panels."""


class Board(NamedTuple):
    """A dashboard: its name, the label it is narrowed down by, a metric that has all of that label's values, its rows."""

    name: str
    variable: str
    metric: str
    rows: Rows

    @property
    def path(self) -> Path:
        """Where its JSON is committed."""
        return HERE / f"seawall-{self.name}.json"


def made(board: Board) -> str:
    """The dashboard as JSON text."""
    return _laid_out(_empty(board), board.rows)


def _source() -> models.DataSourceRef:
    return models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _panel(panel: Panel, x: int, y: int) -> stat.Panel | statetimeline.Panel | timeseries.Panel:
    shown: stat.Panel | statetimeline.Panel | timeseries.Panel = _KINDS[panel.kind]()
    shown = shown.title(panel.title).description(panel.why).datasource(_source()).unit(panel.unit)
    shown = shown.grid_pos(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
    for number, (legend, expression) in enumerate(panel.queries):
        query = prometheus.Dataquery().ref_id(chr(65 + number)).expr(expression).legend_format(legend)
        shown = shown.with_target(query.exemplar(exemplar=True) if panel.exemplars else query)
    if isinstance(shown, timeseries.Panel):
        shown = shown.legend(
            common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.LIST).show_legend(show_legend=True)
        )
    return shown


def _empty(board: Board) -> dashboard.Dashboard:
    variable = board.variable
    return (
        dashboard.Dashboard(f"Seawall {board.name}")
        .uid(f"seawall-{board.name}")
        .tags(["seawall"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("utc")
        .editable()
        .link(
            dashboard.DashboardLink("Seawall").type(models.DashboardLinkType.DASHBOARDS).tags(["seawall"])
            .as_dropdown(as_dropdown=False).include_vars(include_vars=False).keep_time(keep_time=True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable(variable).label(variable.capitalize()).datasource(_source())
            .query(f"label_values({board.metric}, {variable})").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(multi=True).include_all(include_all=True).all_value(".*")
        )
    )  # fmt: skip


def _laid_out(board: dashboard.Dashboard, rows: Rows) -> str:
    """Rows of panels, left to right and down, as JSON text."""
    y, numbers = 0, count(1)
    for title, panels in rows:
        board = board.with_row(dashboard.Row(title).id(next(numbers)).grid_pos(models.GridPos(h=1, w=_COLUMNS, x=0, y=y)))
        x, y, tallest = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            board = board.with_panel(_panel(panel, x, y).id(next(numbers)))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"
