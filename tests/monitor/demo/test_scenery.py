"""What is staged can be watched: contracts of kinds that Seawall knows, nobody trusted who attacks."""

import pytest

from monitor.config.layout import PoolKind
from monitor.demo.scenery import NATIVE, PRIVATE
from tests.support.show import scene


async def test_every_integration_holds_money_in_a_contract_of_a_known_kind() -> None:
    async with scene(count=2) as show:
        stage = show.stage
        assert [integration.id for integration in stage.integrations] == ["market-pool", "bank-1", "lender-2", "vault-3"]
        for contract in (each for integration in stage.integrations for each in integration.contracts):
            assert contract.kind in set(PoolKind)
            assert contract.address == contract.address.lower()
            for asset in contract.assets or (NATIVE,):
                assert await show.wallet.holding(contract.address, asset) > 0
        with pytest.raises(KeyError):
            stage.integration("nowhere")


async def test_each_attack_has_its_own_account_and_none_is_trusted() -> None:
    async with scene(count=5) as show:
        attacks = show.stage.attacks
        theirs = {attack.contract for attack in attacks} | {attack.attacker for attack in attacks}
        assert len(theirs) == 2 * len(attacks)
        assert not theirs & set(show.stage.trusted)
        assert {attack.victim for attack in attacks} == {i.victim for i in show.stage.integrations if i.id != "market-pool"}
        assert [attack.name for attack in attacks if attack.private] == [PRIVATE]
