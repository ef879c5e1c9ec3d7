// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Coin} from "./Coin.sol";
import {IToken} from "./Markets.sol";

/// A pool of two coins of equal worth with Curve's questions, whose owner may take "fees": whatever he says they are.
contract TwoCoinPool {
    IToken[2] private tokens;
    uint256[2] public balances;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    address private immutable owner = msg.sender;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event TokenExchange(address indexed buyer, int128 sold, uint256 amount, int128 bought, uint256 out);

    constructor(IToken first, IToken second) {
        tokens = [first, second];
    }

    function coins(uint256 i) external view returns (IToken) {
        require(i < 2);
        return tokens[i];
    }

    function get_virtual_price() public view returns (uint256) {
        return ((balances[0] + balances[1]) * 1e18) / totalSupply;
    }

    function add_liquidity(uint256[2] calldata amounts, uint256) external {
        uint256 all = balances[0] + balances[1];
        uint256 shares = totalSupply == 0 ? amounts[0] + amounts[1] : ((amounts[0] + amounts[1]) * totalSupply) / all;
        for (uint256 i = 0; i < 2; i++) {
            require(tokens[i].transferFrom(msg.sender, address(this), amounts[i]));
            balances[i] += amounts[i];
        }
        totalSupply += shares;
        balanceOf[msg.sender] += shares;
        emit Transfer(address(0), msg.sender, shares);
    }

    function remove_liquidity(uint256 shares, uint256[2] calldata) external {
        uint256 supply = totalSupply;
        balanceOf[msg.sender] -= shares;
        totalSupply = supply - shares;
        emit Transfer(msg.sender, address(0), shares);
        for (uint256 i = 0; i < 2; i++) {
            uint256 out = (balances[i] * shares) / supply;
            balances[i] -= out;
            require(tokens[i].transfer(msg.sender, out));
        }
    }

    function exchange(uint256 i, uint256 amount) external returns (uint256 out) {
        uint256 j = 1 - i;
        out = (amount * 9996) / 10000;
        require(tokens[i].transferFrom(msg.sender, address(this), amount));
        (balances[i], balances[j]) = (balances[i] + amount, balances[j] - out);
        require(tokens[j].transfer(msg.sender, out));
        emit TokenExchange(msg.sender, int128(int256(i)), amount, int128(int256(j)), out);
    }

    function fees(uint256 i, uint256 amount) external {
        require(msg.sender == owner);
        balances[i] -= amount;
        require(tokens[i].transfer(msg.sender, amount));
    }
}

interface IRange {
    function mint(address, int24, int24, uint128, bytes calldata) external returns (uint256, uint256);
    function swap(address, bool, int256, uint160, bytes calldata) external returns (int256, int256);
    function burn(int24, int24, uint128) external returns (uint256, uint256);
    function collect(address, int24, int24, uint128, uint128) external returns (uint128, uint128);
    function token0() external view returns (IToken);
    function token1() external view returns (IToken);
}

/// Provides liquidity to a Uniswap V3 pool and swaps there, with what it holds itself.
contract Ranger {
    function provide(IRange pool, int24 low, int24 high, uint128 liquidity) external {
        pool.mint(address(this), low, high, liquidity, "");
    }

    function withdraw(IRange pool, int24 low, int24 high, uint128 liquidity) external {
        pool.burn(low, high, liquidity);
        pool.collect(msg.sender, low, high, type(uint128).max, type(uint128).max);
    }

    function swap(IRange pool, bool zeroForOne, int256 amount) external {
        uint160 limit = zeroForOne ? 4295128740 : 1461446703485210103287273052203988822378723970341;
        pool.swap(msg.sender, zeroForOne, amount, limit, "");
    }

    function uniswapV3MintCallback(uint256 first, uint256 second, bytes calldata) external {
        _pay(first, second);
    }

    function uniswapV3SwapCallback(int256 first, int256 second, bytes calldata) external {
        _pay(first > 0 ? uint256(first) : 0, second > 0 ? uint256(second) : 0);
    }

    function _pay(uint256 first, uint256 second) private {
        if (first > 0) require(IRange(msg.sender).token0().transfer(msg.sender, first));
        if (second > 0) require(IRange(msg.sender).token1().transfer(msg.sender, second));
    }
}

/// Takes a part of every transfer, as some coins do.
contract TaxedCoin is Coin {
    function _move(address from, address to, uint256 value) internal override {
        super._move(from, to, value - value / 50);
        super._move(from, address(this), value / 50);
    }
}
