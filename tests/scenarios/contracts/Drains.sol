// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IToken} from "./Markets.sol";

interface ISpot {
    function token0() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
}

/// What a coin costs in dollars, by the reserves of one Uniswap pair at this very moment.
abstract contract SpotPriced {
    IToken public immutable dollar;
    IToken public immutable coin;
    ISpot public immutable pair;

    constructor(IToken dollar_, IToken coin_, ISpot pair_) {
        (dollar, coin, pair) = (dollar_, coin_, pair_);
    }

    function valueOf(uint256 amount) public view returns (uint256) {
        (uint112 first, uint112 second, ) = pair.getReserves();
        bool straight = pair.token0() == address(coin);
        return straight ? (amount * second) / first : (amount * first) / second;
    }
}

/// Lends dollars against coins, at three quarters of what they are worth.
contract SpotLender is SpotPriced {
    mapping(address => uint256) public pledged;
    mapping(address => uint256) public owed;

    constructor(IToken dollar_, IToken coin_, ISpot pair_) SpotPriced(dollar_, coin_, pair_) {}

    function pledge(uint256 amount) external {
        pledged[msg.sender] += amount;
        require(coin.transferFrom(msg.sender, address(this), amount));
    }

    function borrow(uint256 amount) external {
        owed[msg.sender] += amount;
        require(owed[msg.sender] <= (valueOf(pledged[msg.sender]) * 3) / 4, "not covered");
        require(dollar.transfer(msg.sender, amount));
    }

    function repay(uint256 amount) external {
        owed[msg.sender] -= amount;
        require(dollar.transferFrom(msg.sender, address(this), amount));
    }

    function liquidate(address account, uint256 amount) external {
        require(owed[account] > (valueOf(pledged[account]) * 3) / 4, "covered");
        owed[account] -= amount;
        uint256 seized = (amount * 1e18 * 21) / 20 / valueOf(1e18);
        pledged[account] -= seized;
        require(dollar.transferFrom(msg.sender, address(this), amount));
        require(coin.transfer(msg.sender, seized));
    }
}

/// A fund of dollars and coins whose share is worth what both are worth together, by the spot price (Harvest, 2020).
contract SpotFund is SpotPriced {
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(IToken dollar_, IToken coin_, ISpot pair_) SpotPriced(dollar_, coin_, pair_) {}

    function worth() public view returns (uint256) {
        return dollar.balanceOf(address(this)) + valueOf(coin.balanceOf(address(this)));
    }

    function deposit(uint256 amount) external returns (uint256 shares) {
        shares = totalSupply == 0 ? amount : (amount * totalSupply) / worth();
        require(dollar.transferFrom(msg.sender, address(this), amount));
        totalSupply += shares;
        balanceOf[msg.sender] += shares;
        emit Transfer(address(0), msg.sender, shares);
    }

    function withdraw(uint256 shares) external {
        uint256 amount = (shares * worth()) / totalSupply;
        balanceOf[msg.sender] -= shares;
        totalSupply -= shares;
        emit Transfer(msg.sender, address(0), shares);
        require(dollar.transfer(msg.sender, amount));
    }
}

/// An ERC-4626 vault that counts what it happens to hold.
contract NaiveVault {
    string public constant name = "Vault";
    string public constant symbol = "V";
    uint8 public constant decimals = 18;
    IToken public immutable asset;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    event Withdraw(address indexed sender, address indexed receiver, address indexed owner, uint256 assets, uint256 shares);

    constructor(IToken asset_) {
        asset = asset_;
    }

    function totalAssets() public view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return totalSupply == 0 ? shares : (shares * totalAssets()) / totalSupply;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = totalSupply == 0 ? assets : (assets * totalSupply) / totalAssets();
        require(asset.transferFrom(msg.sender, address(this), assets));
        totalSupply += shares;
        balanceOf[receiver] += shares;
        emit Transfer(address(0), receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        require(msg.sender == owner, "owner");
        assets = convertToAssets(shares);
        balanceOf[owner] -= shares;
        totalSupply -= shares;
        emit Transfer(owner, address(0), shares);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
        require(asset.transfer(receiver, assets));
    }

    function transfer(address to, uint256 shares) external returns (bool) {
        balanceOf[msg.sender] -= shares;
        balanceOf[to] += shares;
        emit Transfer(msg.sender, to, shares);
        return true;
    }
}

/// Lends dollars against shares of a vault, at what the vault says they are worth.
contract VaultLender {
    NaiveVault public immutable vault;
    IToken public immutable dollar;
    mapping(address => uint256) public pledged;
    mapping(address => uint256) public owed;

    constructor(NaiveVault vault_, IToken dollar_) {
        (vault, dollar) = (vault_, dollar_);
    }

    /// Shares sent here before the call are the sender's pledge.
    uint256 private counted;

    function pledge() external {
        uint256 all = vault.balanceOf(address(this));
        pledged[msg.sender] += all - counted;
        counted = all;
    }

    function borrow(uint256 amount) external {
        owed[msg.sender] += amount;
        require(owed[msg.sender] <= (vault.convertToAssets(pledged[msg.sender]) * 9) / 10, "not covered");
        require(dollar.transfer(msg.sender, amount));
    }
}

/// A bridge's near end: it releases what messages from the far end say. Its hole: the root of no message counts as proven.
contract Bridge {
    address public immutable relayer = msg.sender;
    mapping(bytes32 => bool) public proven;
    uint256 public attested;
    uint256 public released;

    event Released(address indexed token, address indexed to, uint256 amount);

    constructor() {
        proven[bytes32(0)] = true;
    }

    function attest(bytes32 root, uint256 amount) external {
        require(msg.sender == relayer, "relayer");
        proven[root] = true;
        attested += amount;
    }

    function process(IToken token, address to, uint256 amount, bytes32 root) external {
        require(proven[root], "not proven");
        if (root != 0) proven[root] = false;
        released += amount;
        emit Released(address(token), to, amount);
        require(token.transfer(to, amount));
    }
}

/// Pays whom its keys say; owners may add keys.
contract Treasury {
    mapping(address => bool) public key;

    event OwnershipTransferred(address indexed previous, address indexed next);

    constructor() {
        key[msg.sender] = true;
    }

    function admit(address next) external {
        require(key[msg.sender], "key");
        key[next] = true;
    }

    function hand(address next) external {
        require(key[msg.sender], "key");
        (key[msg.sender], key[next]) = (false, true);
        emit OwnershipTransferred(msg.sender, next);
    }

    function pay(IToken token, address to, uint256 amount) external {
        require(key[msg.sender], "key");
        require(token.transfer(to, amount));
    }
}

/// An upgradeable contract (EIP-1967).
contract Proxy {
    bytes32 private constant CODE = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 private constant ADMIN = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;

    event Upgraded(address indexed implementation);

    constructor(address code) {
        assembly {
            sstore(CODE, code)
            sstore(ADMIN, caller())
        }
    }

    function upgradeTo(address code) external {
        address admin;
        assembly {
            admin := sload(ADMIN)
        }
        require(msg.sender == admin, "admin");
        assembly {
            sstore(CODE, code)
        }
        emit Upgraded(code);
    }

    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(CODE), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) {
                revert(0, returndatasize())
            }
            return(0, returndatasize())
        }
    }

    receive() external payable {}
}

/// What stands behind a Proxy: everybody may take out what he put in.
contract Strongbox {
    mapping(address => mapping(IToken => uint256)) public held;

    function put(IToken token, uint256 amount) external {
        held[msg.sender][token] += amount;
        require(token.transferFrom(msg.sender, address(this), amount));
    }

    function take(IToken token, uint256 amount) external {
        held[msg.sender][token] -= amount;
        require(token.transfer(msg.sender, amount));
    }
}

/// Swaps for its users, who approve it. Its hole: it calls whatever it is told to.
contract OpenRouter {
    function execute(address target, bytes calldata data) external payable returns (bytes memory) {
        (bool ok, bytes memory told) = target.call(data);
        require(ok, "refused");
        return told;
    }

    /// The honest way: what the sender has, to the place he names.
    function forward(IToken token, address to, uint256 amount) external {
        require(token.transferFrom(msg.sender, to, amount));
    }
}

/// Sells tokens of owners who signed that they would: the order names the very call, as marketplaces' do.
contract Market {
    function fill(IToken goods, address seller, bytes calldata order, IToken money, uint256 price) external {
        require(money.transferFrom(msg.sender, seller, price));
        (bool ok, ) = address(goods).call(order);
        require(ok, "refused");
    }
}

/// Collects subscriptions that its members approved.
contract Collector {
    function collect(IToken token, address[] calldata members, address to, uint256 amount) external {
        for (uint256 i = 0; i < members.length; i++) require(token.transferFrom(members[i], to, amount));
    }
}
