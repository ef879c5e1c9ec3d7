// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What ERC-777 tokens ask: who speaks for whom (ERC-1820, without its cache of ERC-165).
contract Registry1820 {
    mapping(address => mapping(bytes32 => address)) private implementers;

    function setInterfaceImplementer(address account, bytes32 kind, address implementer) external {
        address who = account == address(0) ? msg.sender : account;
        require(who == msg.sender, "manager");
        implementers[who][kind] = implementer;
    }

    function getInterfaceImplementer(address account, bytes32 kind) external view returns (address) {
        return implementers[account == address(0) ? msg.sender : account][kind];
    }
}
