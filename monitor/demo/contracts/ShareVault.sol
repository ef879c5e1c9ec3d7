// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Token} from "./Token.sol";

/// An ERC-4626 vault. Its hole: anyone may name the strategy that a block's worth of the assets is sent to.
contract ShareVault {
    string public constant name = "Share vault";
    string public constant symbol = "SV";
    uint8 public constant decimals = 18;
    Token public immutable asset;
    uint256 public immutable blockLimit;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(uint256 => uint256) public rebalanced;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    event Withdraw(address indexed sender, address indexed receiver, address indexed owner, uint256 assets, uint256 shares);

    constructor(Token asset_, uint256 blockLimit_) {
        asset = asset_;
        blockLimit = blockLimit_;
    }

    function totalAssets() public view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    function convertToShares(uint256 assets) public view returns (uint256) {
        return totalSupply == 0 ? assets : (assets * totalSupply) / totalAssets();
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return totalSupply == 0 ? shares : (shares * totalAssets()) / totalSupply;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = convertToShares(assets);
        require(shares > 0, "ShareVault: no shares");
        totalSupply += shares;
        balanceOf[receiver] += shares;
        emit Transfer(address(0), receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
        require(asset.transferFrom(msg.sender, address(this), assets));
    }

    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        require(owner == msg.sender, "ShareVault: not the owner");
        assets = convertToAssets(shares);
        balanceOf[owner] -= shares;
        totalSupply -= shares;
        emit Transfer(owner, address(0), shares);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
        require(asset.transfer(receiver, assets));
    }

    /// The hole: no check of who calls. The limit a block is why emptying the vault takes several blocks.
    function rebalance(address strategy, uint256 assets) external {
        rebalanced[block.number] += assets;
        require(rebalanced[block.number] <= blockLimit, "ShareVault: limit of this block");
        require(asset.transfer(strategy, assets));
    }
}
