// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Pays first and writes its books afterwards (The DAO, 2016). Deposits may also be given away inside.
contract OldBank {
    mapping(address => uint256) public balances;
    mapping(address => address) public payee;

    function deposit() external payable {
        balances[msg.sender] += msg.value;
    }

    function payTo(address to) external {
        payee[msg.sender] = to;
    }

    function withdraw() external virtual {
        _pay(msg.sender, msg.sender);
    }

    /// Anyone may have somebody's deposit paid out to whom that one named.
    function withdrawFor(address who) external {
        _pay(who, payee[who]);
    }

    function give(address to) external virtual {
        balances[to] += balances[msg.sender];
        balances[msg.sender] = 0;
    }

    function _pay(address who, address to) internal {
        uint256 held = balances[who];
        require(held > 0, "nothing held");
        (bool paid, ) = to.call{value: held}("");
        require(paid, "refused");
        balances[who] = 0;
    }
}

/// A lock on the withdrawal, none on the gift.
contract HalfGuardedBank is OldBank {
    uint256 private lock = 1;

    function withdraw() external override {
        require(lock == 1, "locked");
        lock = 2;
        _pay(msg.sender, msg.sender);
        lock = 1;
    }
}

/// A transient lock that another function clears.
contract TransientBank is OldBank {
    function withdraw() external override {
        assembly {
            if tload(0) { revert(0, 0) }
            tstore(0, 1)
        }
        _pay(msg.sender, msg.sender);
        assembly { tstore(0, 0) }
    }

    function poke() external {
        assembly { tstore(0, 0) }
    }
}

/// A transient lock that holds, over books that would not.
contract GuardedBank is OldBank {
    function withdraw() external override {
        assembly {
            if tload(0) { revert(0, 0) }
            tstore(0, 1)
        }
        _pay(msg.sender, msg.sender);
        assembly { tstore(0, 0) }
    }

    function give(address) external pure override {
        revert("not here");
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

/// Who is owed what, kept for several tills.
contract SharedLedger {
    address private immutable owner = msg.sender;
    mapping(address => bool) private tills;
    mapping(address => uint256) public owed;

    function admit(address till) external {
        require(msg.sender == owner, "owner");
        tills[till] = true;
    }

    function set(address who, uint256 value) external {
        require(tills[msg.sender], "till");
        owed[who] = value;
    }
}

/// One of the tills: pays what the ledger says, then has it written down.
contract Till {
    SharedLedger private immutable ledger;

    constructor(SharedLedger ledger_) {
        ledger = ledger_;
    }

    function deposit() external payable {
        ledger.set(msg.sender, ledger.owed(msg.sender) + msg.value);
    }

    function withdraw() external {
        uint256 held = ledger.owed(msg.sender);
        (bool paid, ) = msg.sender.call{value: held}("");
        require(paid, "refused");
        ledger.set(msg.sender, 0);
    }
}

/// A wallet that runs any code for anyone, in its own storage.
contract CarelessWallet {
    address public owner = msg.sender;

    function execute(address code, bytes calldata data) external {
        (bool ok, ) = code.delegatecall(data);
        require(ok, "failed");
    }

    receive() external payable {}
}

/// Pays a visitor before it remembers that there is an owner already.
contract UnsettledVault {
    address public owner;
    bool private settled;
    mapping(address => uint256) public balances;

    function deposit() external payable {
        balances[msg.sender] += msg.value;
    }

    function settle(address owner_) external {
        require(!settled, "settled");
        (bool told, ) = msg.sender.call("");
        require(told, "refused");
        if (owner == address(0)) owner = owner_;
        settled = true;
    }

    function adopt(address owner_) external {
        require(!settled, "settled");
        owner = owner_;
    }

    function sweep(address to) external {
        require(msg.sender == owner, "owner");
        (bool paid, ) = to.call{value: address(this).balance}("");
        require(paid, "refused");
    }
}

/// Code that a wallet may borrow: it leaves a note.
contract Script {
    event Noted(uint256 what);

    function note(uint256 what) external {
        emit Noted(what);
    }
}
