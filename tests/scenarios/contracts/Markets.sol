// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IToken {
    function transfer(address, uint256) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
    function balanceOf(address) external view returns (uint256);
    function approve(address, uint256) external returns (bool);
}

/// A lending market that credits a deposit by what it had read before the token's hook ran (Lendf.me, 2020).
contract HookedMarket {
    IToken private immutable token;
    mapping(address => uint256) public supplied;

    constructor(IToken token_) {
        token = token_;
    }

    function supply(uint256 amount) external {
        uint256 before = supplied[msg.sender];
        require(token.transferFrom(msg.sender, address(this), amount));
        supplied[msg.sender] = before + amount;
    }

    function withdraw(uint256 amount) external {
        require(supplied[msg.sender] >= amount, "supplied");
        supplied[msg.sender] -= amount;
        require(token.transfer(msg.sender, amount));
    }
}

/// A collection with a limit of one each, counted after the receiver was told; every piece can be handed in for its floor price.
contract Collection {
    uint256 public immutable floor;
    uint256 public next = 1;
    mapping(uint256 => address) public ownerOf;
    mapping(address => uint256) public minted;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    constructor(uint256 floor_) payable {
        floor = floor_;
    }

    function mint() external {
        require(minted[msg.sender] == 0, "one each");
        uint256 id = next++;
        _move(address(0), msg.sender, id);
        if (msg.sender.code.length > 0) {
            (bool ok, bytes memory told) = msg.sender.call(
                abi.encodeWithSignature("onERC721Received(address,address,uint256,bytes)", msg.sender, address(0), id, "")
            );
            require(ok && abi.decode(told, (bytes4)) == 0x150b7a02, "receiver");
        }
        minted[msg.sender] = 1;
    }

    function redeem(uint256 id) external {
        require(ownerOf[id] == msg.sender, "owner");
        _move(msg.sender, address(0), id);
        (bool paid, ) = msg.sender.call{value: floor}("");
        require(paid, "refused");
    }

    function safeTransferFrom(address from, address to, uint256 id) external {
        require(from == msg.sender && ownerOf[id] == from, "owner");
        _move(from, to, id);
    }

    function _move(address from, address to, uint256 id) private {
        ownerOf[id] = to;
        if (from != address(0)) balanceOf[from] -= 1;
        balanceOf[to] += 1;
        emit Transfer(from, to, id);
    }

    receive() external payable {}
}

interface IMulti {
    function mint(address to, uint256 id, uint256 amount, bytes calldata data) external;
    function burn(address from, uint256 id, uint256 value) external;
}

/// Locks money under numbered receipts, and counts the number up after the receiver was told (Revest, 2022).
contract ReceiptVault {
    IMulti private immutable receipts;
    IToken private immutable token;
    uint256 public next = 1;
    mapping(uint256 => uint256) public worth;

    constructor(IMulti receipts_, IToken token_) {
        (receipts, token) = (receipts_, token_);
    }

    function lock(uint256 quantity, uint256 each) external {
        uint256 id = next;
        require(token.transferFrom(msg.sender, address(this), quantity * each));
        receipts.mint(msg.sender, id, quantity, "");
        worth[id] = each;
        next = id + 1;
    }

    function unlock(uint256 id, uint256 quantity) external {
        receipts.burn(msg.sender, id, quantity);
        require(token.transfer(msg.sender, worth[id] * quantity));
    }
}

/// Prizes for new wallets: the quota of who asks is written after the wallet was made.
contract WalletFactory {
    IToken private immutable token;
    uint256 private immutable prize;
    mapping(address => uint256) public used;

    constructor(IToken token_, uint256 prize_) {
        (token, prize) = (token_, prize_);
    }

    function make(bytes memory code) external returns (address made) {
        uint256 count = used[tx.origin];
        require(count < 1, "quota");
        assembly { made := create(0, add(code, 32), mload(code)) }
        require(made != address(0), "failed");
        used[tx.origin] = count + 1;
        require(token.transfer(made, prize));
    }
}
