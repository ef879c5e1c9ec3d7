"""The board: the page's part that changes, as HTML, from one view of the daemon."""

from monitor.api.page.cards import cards, headline
from monitor.api.page.chains import chains
from monitor.api.page.incidents import live, noted, over
from monitor.api.page.shadow import shadow
from monitor.api.page.view import View
from monitor.api.page.words import section


def render(view: View) -> str:
    """The answer, the integrations (worst first), what stands, what is seen, what shadow would have done, what was before."""
    return (
        headline(view)
        + section("integrations", "Integrations", cards(view))
        + live(view)
        + chains(view)
        + shadow(view)
        + noted(view)
        + over(view)
    )
