// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// An ether vault with the classic re-entrancy hole: it pays first and writes the books afterwards (the DAO, 2016).
contract Bank {
    mapping(address => uint256) public balances;

    event Deposited(address indexed account, uint256 value);
    event Withdrawn(address indexed account, uint256 value);

    function deposit() external payable {
        balances[msg.sender] += msg.value;
        emit Deposited(msg.sender, msg.value);
    }

    function withdraw(uint256 value) external {
        uint256 held = balances[msg.sender];
        require(value <= held, "Bank: more than held");
        (bool paid, ) = msg.sender.call{value: value}("");
        require(paid, "Bank: payment refused");
        balances[msg.sender] = held - value; // the hole: `held` is what it was before the money left
        emit Withdrawn(msg.sender, value);
    }

    /// Ownership of a deposit may move inside the bank; with the hole above, also while it is being paid out.
    function give(address to, uint256 value) external {
        require(value <= balances[msg.sender], "Bank: more than held");
        balances[msg.sender] -= value;
        balances[to] += value;
    }
}
