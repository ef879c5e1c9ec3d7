// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// How attackers split themselves: who calls, who is called back, and whose code it is are three contracts.
contract Driver {
    function own_go(address target, bytes calldata data) external payable {
        (bool ok, bytes memory told) = target.call{value: msg.value}(data);
        if (!ok) assembly { revert(add(told, 32), mload(told)) }
    }

    receive() external payable {}
}

/// Stands before the victims, and runs borrowed code.
contract Shell {
    address private immutable brain;

    constructor(address brain_) {
        brain = brain_;
    }

    fallback() external payable {
        _run();
    }

    /// A mere payment with the stipend of `transfer` buys no code.
    receive() external payable {
        if (gasleft() > 3000) _run();
    }

    function _run() private {
        address code = brain;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}

/// Makes the attacker's contract in the attack itself.
contract Launcher {
    function own_launch(bytes memory code, bytes calldata data) external payable {
        address made;
        assembly { made := create2(0, add(code, 32), mload(code), 7) }
        require(made != address(0), "launch");
        (bool ok, bytes memory told) = made.call{value: msg.value}(data);
        if (!ok) assembly { revert(add(told, 32), mload(told)) }
    }

    receive() external payable {}
}
