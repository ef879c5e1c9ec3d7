"""Examples for every command, shown at the end of its help; a test parses each and finds none missing."""

import typer
from typer.main import get_command_name

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("seawall demo", "seawall demo --once --json --attacks 4"),
    "run": ("seawall run -c seawall.yaml", "seawall run -c seawall.yaml --tape today.tape.gz --part-mib 256"),
    "doctor": ("seawall doctor -c seawall.yaml", "seawall doctor -c seawall.yaml --json"),
    "init": (
        "seawall init 0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc --node '${ETH_WS}' --chain eip155:1",
        "seawall init --file contracts.txt --node ws://127.0.0.1:8545 --output seawall.yaml",
        "seawall init dai-vault=0x83F20F44975D03b1b09e64809B757c47f942BEeA --node file:node-url --output -",
    ),
    "check": ("seawall check seawall.yaml", "seawall check seawall.yaml --json"),
    "schema": ("seawall schema",),
    "completion": ("seawall completion bash", "seawall completion zsh", "seawall completion fish"),
    "inspect": (
        "seawall inspect trace.json.gz",
        "seawall inspect block.json --watch 0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc --json",
    ),
    "record": (
        "seawall record -c seawall.yaml -o today.tape.gz",
        "seawall record -c seawall.yaml -o hour.tape.gz --seconds 3600",
    ),
    "replay": (
        "seawall replay today.tape.gz -c seawall.yaml",
        "seawall replay today.tape.gz -c seawall.yaml --against bolder.yaml",
    ),
    "flags": ("seawall flags", "seawall flags --watch", "seawall flags --json --url http://10.0.0.5:8080"),
    "pause": (
        'seawall pause my-vault --reason "withdrawals look wrong"',
        'seawall pause chain:ethereum --reason "client bug" --level exits_only --ttl 3600',
    ),
    "resume": ('seawall resume my-vault --reason "explained: planned migration"',),
    "override": ('seawall override my-vault --ttl 900 --reason "false alarm, checked by hand"',),
    "approve": ("seawall approve REQUEST",),
    "ack": ('seawall ack INCIDENT --note "looking at the trace"',),
    "health": ("seawall health", "seawall health --ready --json"),
    "status": ("seawall status", "seawall status --json --url http://10.0.0.5:8080"),
    "explain": ("seawall explain ID", "seawall explain ID --journal /var/lib/seawall/journal.db"),
    "shadow report": ("seawall shadow report -c seawall.yaml",),
    "audit verify": (
        "seawall audit verify -c seawall.yaml",
        "seawall audit verify copy-of-journal.db --checkpoints kept.jsonl",
    ),
    "audit export": ("seawall audit export -c seawall.yaml --kind decision",),
    "audit archive": ("seawall audit archive -c seawall.yaml --to journal-2030.db",),
    "token create": ("seawall token create ops --scope pause --scope resume --days 90",),
    "alerts test": ("seawall alerts test pagerduty -c seawall.yaml",),
    "alerts letters": ("seawall alerts letters -c seawall.yaml", "seawall alerts letters -c seawall.yaml --most 100 --json"),
    "gas forecast": ("seawall gas forecast", "seawall gas forecast ethereum --json"),
    "gas advise": ("seawall gas advise ethereum --deadline 25 --urgency 0.2", "seawall gas advise --cap 30 --within 5"),
    "gas replay": ("seawall gas replay",),
    "seasons": ("seawall seasons monday.tape.gz tuesday.tape.gz wednesday.tape.gz thursday.tape.gz",),
}
"""By the command's words after `seawall`."""


ENDING = """
Begin with: seawall demo; then with contracts of your own: seawall init --help.

SEAWALL_URL is where flags are read (http://127.0.0.1:8080), SEAWALL_ADMIN_URL where orders go, SEAWALL_TOKEN opens that.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. With --json a command prints one JSON object, where it takes that.
"""
"""What the help of the whole ends with."""


def show(app: typer.Typer, before: str = "") -> None:
    """Give every command of this application, and of the groups in it, its examples."""
    for command in app.registered_commands:
        name = command.name or get_command_name(command.callback.__name__ if command.callback is not None else "")
        lines = EXAMPLES.get(before + name, ())
        command.epilog = "\n\n".join(("Examples:", *(f"$ {line}" for line in lines))) if lines else None
    for group in app.registered_groups:
        if group.typer_instance is not None:
            show(group.typer_instance, f"{before}{group.name or group.typer_instance.info.name} ")
