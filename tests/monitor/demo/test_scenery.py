"""What is staged can be watched: its configuration parts are accepted as they are."""

import msgspec
import pytest

from monitor.config.layout import Integration, PriceSource
from tests.support.show import scene


async def test_the_stage_says_how_to_watch_itself() -> None:
    async with scene(count=2) as show:
        parts = show.stage.settings("local")
        integrations = msgspec.convert(parts["integrations"], dict[str, Integration])
        prices = msgspec.convert(parts["prices"], dict[str, tuple[PriceSource, ...]])
        assert set(integrations) == {"market-pool", "bank-1", "lender-2", "vault-3"}
        assert {str(c.kind) for i in integrations.values() for c in i.contracts} == {"holdings", "uniswap_v2", "erc4626"}
        assert {source.quote for source in prices["local"]} == {show.stage.market.dollar}
        coin = show.stage.integration("lender-2").contracts[1].assets[1]
        assert {source.token for source in prices["local"]} == {show.stage.market.weth, coin}
        attackers = {attack.contract for attack in show.stage.attacks} | {attack.attacker for attack in show.stage.attacks}
        assert not attackers & set(parts["trusted"]["local"])
        with pytest.raises(KeyError):
            show.stage.integration("nowhere")
