"""`python -m monitor` is the command `seawall`."""

from monitor.cli import main

main()
