// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Coin} from "./Coin.sol";
import {IToken} from "./Markets.sol";

/// OpenZeppelin's vault over a token.
contract Vault4626 is ERC4626 {
    constructor(ERC20 asset_) ERC4626(asset_) ERC20("Vault", "VLT") {}
}

/// OpenZeppelin's proxy before anything.
contract Proxy1967 is ERC1967Proxy {
    constructor(address code, bytes memory data) ERC1967Proxy(code, data) {}
}

/// A purse that is used in batches; behind a proxy in the scenarios.
contract Purse is Multicall {
    function pay(IToken token, address to, uint256 amount) external {
        require(token.transfer(to, amount));
    }

    function put(address bank, uint256 amount) external {
        (bool ok, ) = bank.call{value: amount}(abi.encodeWithSignature("deposit()"));
        require(ok);
    }

    function get(address bank, uint256 amount) external {
        (bool ok, ) = bank.call(abi.encodeWithSignature("withdraw(uint256)", amount));
        require(ok);
    }

    receive() external payable {}
}

interface IPair {
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256, uint256, address, bytes calldata) external;
    function token0() external view returns (address);
    function sync() external;
}

/// Borrows from a V2 pair for the length of a call, looks at its reserves meanwhile, and may trade on another pair.
contract Flasher {
    uint256 public saw;

    struct Plan {
        IPair lender;
        IPair other;
        IToken asset;
        IToken bridge;
        uint256 amount;
    }

    /// Borrow and give back.
    function borrow(IPair lender, IToken asset, uint256 amount) external {
        bool first = lender.token0() == address(asset);
        lender.swap(first ? amount : 0, first ? 0 : amount, address(this), abi.encode(Plan(lender, IPair(address(0)), asset, asset, amount)));
    }

    /// Borrow `bridge` from where it is cheap, sell it where it is dear, pay in `asset`, keep the rest.
    function arbitrage(Plan calldata plan) external {
        bool first = plan.lender.token0() == address(plan.bridge);
        plan.lender.swap(first ? plan.amount : 0, first ? 0 : plan.amount, address(this), abi.encode(plan));
        plan.asset.transfer(msg.sender, plan.asset.balanceOf(address(this)));
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        Plan memory plan = abi.decode(data, (Plan));
        (uint112 r0, uint112 r1, ) = plan.lender.getReserves();
        saw = uint256(r0) + r1;
        if (address(plan.other) == address(0)) {
            plan.asset.transfer(address(plan.lender), (plan.amount * 1000) / 997 + 1);
            return;
        }
        bool first = plan.lender.token0() == address(plan.asset);
        (uint256 mine, uint256 theirs) = first ? (uint256(r0), uint256(r1)) : (uint256(r1), uint256(r0));
        uint256 due = (mine * plan.amount * 1000) / ((theirs - plan.amount) * 997) + 1;
        _sell(plan);
        plan.asset.transfer(address(plan.lender), due);
    }

    function _sell(Plan memory plan) private {
        (uint112 r0, uint112 r1, ) = plan.other.getReserves();
        bool first = plan.other.token0() == address(plan.bridge);
        (uint256 into, uint256 from) = first ? (uint256(r0), uint256(r1)) : (uint256(r1), uint256(r0));
        uint256 paid = plan.amount * 997;
        uint256 out = (paid * from) / (into * 1000 + paid);
        plan.bridge.transfer(address(plan.other), plan.amount);
        plan.other.swap(first ? 0 : out, first ? out : 0, address(this), "");
    }
}

interface IRouter {
    function WETH() external view returns (address);
    function swapExactTokensForETHSupportingFeeOnTransferTokens(uint256, uint256, address[] calldata, address, uint256) external;
}

/// Takes 5 % of every transfer, and sells what it took in the middle of somebody's sale; the proceeds go to marketing.
contract FeeCoin is Coin {
    IRouter private immutable router;
    address private immutable marketing;
    mapping(address => bool) private exempt;
    address private pool;
    bool private selling;

    constructor(IRouter router_, address marketing_) {
        (router, marketing) = (router_, marketing_);
        exempt[msg.sender] = exempt[address(this)] = true;
        allowance[address(this)][address(router_)] = type(uint256).max;
    }

    function open(address pool_) external {
        require(msg.sender == owner, "not the owner");
        pool = pool_;
    }

    function _move(address from, address to, uint256 value) internal override {
        if (pool == address(0) || exempt[from] || exempt[to] || selling) return super._move(from, to, value);
        uint256 held = balanceOf[address(this)];
        if (to == pool && held > 0) {
            selling = true;
            address[] memory path = new address[](2);
            (path[0], path[1]) = (address(this), router.WETH());
            router.swapExactTokensForETHSupportingFeeOnTransferTokens(held, 0, path, address(this), block.timestamp);
            (bool paid, ) = marketing.call{value: address(this).balance}("");
            require(paid);
            selling = false;
        }
        super._move(from, address(this), value / 20);
        super._move(from, to, value - value / 20);
    }

    receive() external payable {}
}

/// Everybody's balance grows or shrinks at once.
contract RebasingCoin {
    uint256 public index = 1e18;
    uint256 private total;
    mapping(address => uint256) private parts;
    address private owner = msg.sender;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Rebased(uint256 index);

    function mint(address to, uint256 value) external {
        require(msg.sender == owner);
        parts[to] += (value * 1e18) / index;
        total += (value * 1e18) / index;
        emit Transfer(address(0), to, value);
    }

    function rebase(uint256 index_) external {
        require(msg.sender == owner);
        index = index_;
        emit Rebased(index_);
    }

    function totalSupply() external view returns (uint256) {
        return (total * index) / 1e18;
    }

    function balanceOf(address who) external view returns (uint256) {
        return (parts[who] * index) / 1e18;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        uint256 part = (value * 1e18) / index;
        parts[msg.sender] -= part;
        parts[to] += part;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Sends the same to many.
contract Airdrop {
    function drop(IToken token, address[] calldata to, uint256 each) external {
        for (uint256 i = 0; i < to.length; i++) require(token.transfer(to[i], each));
    }
}

interface IV3Pool {
    function mint(address, int24, int24, uint128, bytes calldata) external returns (uint256, uint256);
    function flash(address, uint256, uint256, bytes calldata) external;
    function swap(address, bool, int256, uint160, bytes calldata) external returns (int256, int256);
    function token0() external view returns (address);
    function token1() external view returns (address);
    function slot0() external view returns (uint160, int24, uint16, uint16, uint16, uint8, bool);
}

/// Uses Uniswap V3 pools without the periphery: provides, swaps, borrows.
contract V3User {
    function mint(IV3Pool pool, int24 low, int24 high, uint128 amount) external {
        pool.mint(msg.sender, low, high, amount, abi.encode(msg.sender));
    }

    function swap(IV3Pool pool, bool zero, int256 amount) external {
        uint160 limit = zero ? 4295128740 : 1461446703485210103287273052203988822378723970341;
        pool.swap(msg.sender, zero, amount, limit, abi.encode(msg.sender));
    }

    function flash(IV3Pool pool, uint256 a0, uint256 a1) external {
        pool.flash(address(this), a0, a1, abi.encode(msg.sender, a0, a1));
    }

    function uniswapV3MintCallback(uint256 a0, uint256 a1, bytes calldata data) external {
        _pay(a0, a1, abi.decode(data, (address)));
    }

    function uniswapV3SwapCallback(int256 a0, int256 a1, bytes calldata data) external {
        _pay(a0 > 0 ? uint256(a0) : 0, a1 > 0 ? uint256(a1) : 0, abi.decode(data, (address)));
    }

    function uniswapV3FlashCallback(uint256 f0, uint256 f1, bytes calldata data) external {
        (address from, uint256 a0, uint256 a1) = abi.decode(data, (address, uint256, uint256));
        IV3Pool pool = IV3Pool(msg.sender);
        pool.slot0();
        if (a0 > 0) IToken(pool.token0()).transfer(msg.sender, a0);
        if (a1 > 0) IToken(pool.token1()).transfer(msg.sender, a1);
        _pay(f0, f1, from);
    }

    function _pay(uint256 a0, uint256 a1, address from) private {
        IV3Pool pool = IV3Pool(msg.sender);
        if (a0 > 0) IToken(pool.token0()).transferFrom(from, msg.sender, a0);
        if (a1 > 0) IToken(pool.token1()).transferFrom(from, msg.sender, a1);
    }
}

/// Takes in what the standards send, and passes it on at once.
contract Forwarder {
    address private immutable home = msg.sender;

    function mint(address shop) external {
        (bool ok, ) = shop.call(abi.encodeWithSignature("mint()"));
        require(ok);
    }

    function onERC721Received(address, address, uint256 id, bytes calldata) external returns (bytes4) {
        (bool ok, ) = msg.sender.call(
            abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", address(this), home, id)
        );
        require(ok);
        return 0x150b7a02;
    }

    function onERC1155Received(address, address, uint256 id, uint256 value, bytes calldata) external returns (bytes4) {
        (bool ok, ) = msg.sender.call(
            abi.encodeWithSignature("safeTransferFrom(address,address,uint256,uint256,bytes)", address(this), home, id, value, "")
        );
        require(ok);
        return 0xf23a6e61;
    }

    function supportsInterface(bytes4) external pure returns (bool) {
        return true;
    }

    receive() external payable {}
}
