// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";

/// A pool of ether and a coin of equal worth, as Curve's: who removes liquidity is paid the ether before the coin is.
contract StablePool {
    IToken public immutable coin;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    uint256[2] public balances;
    bool private locked;
    bool private immutable safe;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event RemoveLiquidity(address indexed provider, uint256[2] amounts, uint256 supply);

    constructor(IToken coin_, bool safe_) {
        (coin, safe) = (coin_, safe_);
    }

    modifier alone() {
        require(!locked, "locked");
        locked = true;
        _;
        locked = false;
    }

    function get_virtual_price() public view returns (uint256) {
        if (safe) require(!locked, "locked");
        return ((balances[0] + balances[1]) * 1e18) / totalSupply;
    }

    function add_liquidity(uint256[2] calldata amounts, uint256) external payable alone returns (uint256 shares) {
        require(msg.value == amounts[0]);
        uint256 all = balances[0] + balances[1];
        shares = totalSupply == 0 ? amounts[0] + amounts[1] : ((amounts[0] + amounts[1]) * totalSupply) / all;
        require(coin.transferFrom(msg.sender, address(this), amounts[1]));
        (balances[0], balances[1]) = (balances[0] + amounts[0], balances[1] + amounts[1]);
        totalSupply += shares;
        balanceOf[msg.sender] += shares;
        emit Transfer(address(0), msg.sender, shares);
    }

    function remove_liquidity(uint256 shares, uint256[2] calldata) external alone {
        uint256 supply = totalSupply;
        uint256[2] memory out = [(balances[0] * shares) / supply, (balances[1] * shares) / supply];
        balanceOf[msg.sender] -= shares;
        totalSupply = supply - shares;
        balances[0] -= out[0];
        if (safe) balances[1] -= out[1];
        (bool paid, ) = msg.sender.call{value: out[0]}("");
        require(paid, "refused");
        if (!safe) balances[1] -= out[1];
        require(coin.transfer(msg.sender, out[1]));
        emit Transfer(msg.sender, address(0), shares);
        emit RemoveLiquidity(msg.sender, out, totalSupply);
    }

    function exchange(uint256 amount) external payable alone returns (uint256 out) {
        if (msg.value > 0) {
            out = (msg.value * 9996) / 10000;
            (balances[0], balances[1]) = (balances[0] + msg.value, balances[1] - out);
            require(coin.transfer(msg.sender, out));
        } else {
            out = (amount * 9996) / 10000;
            require(coin.transferFrom(msg.sender, address(this), amount));
            (balances[0], balances[1]) = (balances[0] - out, balances[1] + amount);
            (bool paid, ) = msg.sender.call{value: out}("");
            require(paid, "refused");
        }
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }

    mapping(address => mapping(address => uint256)) public allowance;

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowance[from][msg.sender] -= value;
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
        return true;
    }
}

interface IPriced {
    function get_virtual_price() external view returns (uint256);
}

/// Tells what a share of the pool is worth: it asks the pool.
contract ShareOracle {
    IPriced private immutable pool;

    constructor(IPriced pool_) {
        pool = pool_;
    }

    function get_virtual_price() external view returns (uint256) {
        return pool.get_virtual_price();
    }
}

/// Lends dollars against shares of the pool, at three quarters of what they are said to be worth.
contract ShareLender {
    IToken public immutable shares;
    IToken public immutable dollar;
    IPriced private immutable price;
    mapping(address => uint256) public pledged;
    mapping(address => uint256) public owed;

    event Borrowed(address indexed who, uint256 value);

    constructor(IToken shares_, IToken dollar_, IPriced price_) {
        (shares, dollar, price) = (shares_, dollar_, price_);
    }

    function pledge(uint256 amount) external {
        require(shares.transferFrom(msg.sender, address(this), amount));
        pledged[msg.sender] += amount;
    }

    function limit(address who) public view returns (uint256) {
        return (pledged[who] * price.get_virtual_price() * 3) / 4e18;
    }

    function borrow(uint256 amount) external {
        owed[msg.sender] += amount;
        require(owed[msg.sender] <= limit(msg.sender), "limit");
        require(dollar.transfer(msg.sender, amount));
        emit Borrowed(msg.sender, amount);
    }

    function repay(uint256 amount) external {
        owed[msg.sender] -= amount;
        require(dollar.transferFrom(msg.sender, address(this), amount));
    }

    function liquidate(address who) external {
        require(owed[who] > limit(who), "healthy");
        uint256 debt = owed[who];
        uint256 taken = pledged[who];
        (owed[who], pledged[who]) = (0, 0);
        require(dollar.transferFrom(msg.sender, address(this), debt));
        require(shares.transfer(msg.sender, taken));
    }
}

/// Shares of a heap of ether: who redeems is paid before the shares are gone.
contract EtherHeap {
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function join() external payable returns (uint256 shares) {
        uint256 before = address(this).balance - msg.value;
        shares = totalSupply == 0 ? msg.value : (msg.value * totalSupply) / before;
        totalSupply += shares;
        balanceOf[msg.sender] += shares;
        emit Transfer(address(0), msg.sender, shares);
    }

    function redeem(uint256 shares) external {
        uint256 worth = (address(this).balance * shares) / totalSupply;
        balanceOf[msg.sender] -= shares;
        (bool paid, ) = msg.sender.call{value: worth}("");
        require(paid, "refused");
        totalSupply -= shares;
        emit Transfer(msg.sender, address(0), shares);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Sells shares of the heap at what the heap's ether says they are worth.
contract HeapShop {
    EtherHeap private immutable heap;

    constructor(EtherHeap heap_) {
        heap = heap_;
    }

    function buy() external payable {
        uint256 shares = (msg.value * heap.totalSupply()) / address(heap).balance;
        require(heap.transfer(msg.sender, shares));
    }

    receive() external payable {}
}
