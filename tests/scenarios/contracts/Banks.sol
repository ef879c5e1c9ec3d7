// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Pays first and writes its books afterwards (The DAO, 2016). Deposits may also be given away inside.
contract OldBank {
    mapping(address => uint256) public balances;

    function deposit() external payable {
        balances[msg.sender] += msg.value;
    }

    function withdraw() external virtual {
        uint256 held = balances[msg.sender];
        require(held > 0, "nothing held");
        (bool paid, ) = msg.sender.call{value: held}("");
        require(paid, "refused");
        balances[msg.sender] = 0;
    }

    function give(address to) external virtual {
        balances[to] += balances[msg.sender];
        balances[msg.sender] = 0;
    }

    function withdrawTo(address to) external {
        uint256 held = balances[msg.sender];
        require(held > 0, "nothing held");
        (bool paid, ) = to.call{value: held}("");
        require(paid, "refused");
        balances[msg.sender] = 0;
    }
}

/// The same business done right: books first, then the payment.
contract GoodBank {
    mapping(address => uint256) public balances;

    function deposit() external payable {
        balances[msg.sender] += msg.value;
    }

    function withdraw(uint256 value) external {
        balances[msg.sender] -= value;
        (bool paid, ) = msg.sender.call{value: value}("");
        require(paid, "refused");
    }
}
