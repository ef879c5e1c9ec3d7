"""Contracts known by heart: routers, wrapped coins and vaults that call back by design and act for whoever called them.

They are never the attacker's own contract, so they never make a sandwich and never belong to the initiator. They may well be
victims. A deployment adds its own through `Watch.trusted`; this list is what holds without any registry.
"""

VERSION = 1
"""Rises with every change of the list, for whoever quotes figures measured with it."""

MAINNET = frozenset(
    (
        "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",  # WETH9
        "0xf164fc0ec4e93095b804a4795bbe1e041497b92a",  # Uniswap V2 Router01
        "0x7a250d5630b4cf539739df2c5dacb4c659f2488d",  # Uniswap V2 Router02
        "0xe592427a0aece92de3edee1f18e0157c05861564",  # Uniswap V3 SwapRouter
        "0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45",  # Uniswap V3 SwapRouter02
        "0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad",  # Uniswap Universal Router
        "0x66a9893cc07d91d95644aedd05d03f95e1dba8af",  # Uniswap Universal Router, V4
        "0x000000000022d473030f116ddee9f6b43ac78ba3",  # Permit2
        "0xd9e1ce17f2641f24ae83637ab66a2cca9c378b9f",  # Sushi router
        "0xba12222222228d8ba445958a75a0704d566bf2c8",  # Balancer V2 vault
        "0xdef1c0ded9bec7f1a1670819833240f027b25eff",  # 0x exchange proxy
        "0x1111111254fb6c44bac0bed2854e76f90643097d",  # 1inch v4
        "0x1111111254eeb25477b68fb85ed929f73a960582",  # 1inch v5
        "0x111111125421ca6dc452d289314280a0f8842a65",  # 1inch v6
        "0xdef171fe48cf0115b1d80b88dc8eab59176fee57",  # ParaSwap v5
        "0x881d40237659c251811cec9c364ef91dc08d300c",  # MetaMask swap router
        "0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789",  # ERC-4337 EntryPoint v0.6
        "0x0000000071727de22e5e9d8baf0edac6f37da032",  # ERC-4337 EntryPoint v0.7
    )
)

BY_CHAIN: dict[str, frozenset[str]] = {"eip155:1": MAINNET}

NONE: frozenset[str] = frozenset()


def trusted(chain: str) -> frozenset[str]:
    """What is trusted on `chain` (CAIP-2) without a registry."""
    return BY_CHAIN.get(chain, NONE)
