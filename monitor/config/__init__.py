"""The configuration: one YAML file, checked in every way that needs no network, then frozen."""

from monitor.config.kinds import Listen, NodeUrl, Secret
from monitor.config.layout import (
    Alerts,
    Api,
    ChainConfig,
    Config,
    Contract,
    Finality,
    GasConfig,
    Integration,
    Node,
    Policy,
    PoolKind,
    PriceSource,
    Receiver,
    TokenConfig,
)
from monitor.config.load import load, parse, schema

__all__ = [
    "Alerts",
    "Api",
    "ChainConfig",
    "Config",
    "Contract",
    "Finality",
    "GasConfig",
    "Integration",
    "Listen",
    "Node",
    "NodeUrl",
    "Policy",
    "PoolKind",
    "PriceSource",
    "Receiver",
    "Secret",
    "TokenConfig",
    "load",
    "parse",
    "schema",
]
