// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IFlashToken {
    function transfer(address, uint256) external returns (bool);
}

interface IFlashPair {
    function token0() external view returns (address);
    function swap(uint256, uint256, address, bytes calldata) external;
}

/// An honest flash swap: takes a token from a Uniswap V2 pair and returns it with the fee inside the callback.
contract FlashSwapper {
    function flash(IFlashPair pair, IFlashToken token, uint256 amount) external {
        bool first = pair.token0() == address(token);
        pair.swap(first ? amount : 0, first ? 0 : amount, address(this), abi.encode(token));
    }

    function uniswapV2Call(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external {
        require(sender == address(this), "FlashSwapper: not mine");
        uint256 amount = amount0 + amount1;
        abi.decode(data, (IFlashToken)).transfer(msg.sender, amount + (amount * 3) / 997 + 1);
    }
}
