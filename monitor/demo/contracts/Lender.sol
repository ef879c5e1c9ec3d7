// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IERC20 {
    function balanceOf(address) external view returns (uint256);
    function transfer(address, uint256) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
}

interface IPair {
    function token0() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
}

/// Lends one token against another. Its hole: collateral is worth what one Uniswap pool says at this very moment.
contract Lender {
    uint256 public constant LOAN_TO_VALUE = 75; // percent
    IERC20 public immutable lent;
    IERC20 public immutable collateral;
    IPair public immutable pair;
    mapping(address => uint256) public collateralOf;
    mapping(address => uint256) public debtOf;

    event Borrowed(address indexed account, uint256 value);
    event Repaid(address indexed account, uint256 value);

    constructor(IERC20 lent_, IERC20 collateral_, IPair pair_) {
        lent = lent_;
        collateral = collateral_;
        pair = pair_;
    }

    /// Spot value in the lent token: the number a flash loan can move.
    function valueOf(uint256 amount) public view returns (uint256) {
        (uint112 reserve0, uint112 reserve1, ) = pair.getReserves();
        bool first = pair.token0() == address(collateral);
        (uint256 own, uint256 other) = first ? (reserve0, reserve1) : (reserve1, reserve0);
        return (amount * other) / own;
    }

    function deposit(uint256 amount) external {
        collateralOf[msg.sender] += amount;
        require(collateral.transferFrom(msg.sender, address(this), amount));
    }

    function borrow(uint256 value) external {
        debtOf[msg.sender] += value;
        _requireCovered(msg.sender);
        emit Borrowed(msg.sender, value);
        require(lent.transfer(msg.sender, value));
    }

    function repay(uint256 value) external {
        debtOf[msg.sender] -= value;
        emit Repaid(msg.sender, value);
        require(lent.transferFrom(msg.sender, address(this), value));
    }

    function withdraw(uint256 amount) external {
        collateralOf[msg.sender] -= amount;
        _requireCovered(msg.sender);
        require(collateral.transfer(msg.sender, amount));
    }

    function _requireCovered(address account) private view {
        uint256 limit = (valueOf(collateralOf[account]) * LOAN_TO_VALUE) / 100;
        require(debtOf[account] <= limit, "Lender: not covered");
    }
}
