"""The survey: what stands at an address, asked of a node, so that nobody writes a configuration from memory."""

from monitor.survey.chain import Setting, setting
from monitor.survey.draft import Draft, Places, draft
from monitor.survey.proxies import Proxy
from monitor.survey.recognise import Found, reads_as, recognise
from monitor.survey.tokens import Token
from monitor.survey.visit import Wanted, visit

__all__ = [
    "Draft",
    "Found",
    "Places",
    "Proxy",
    "Setting",
    "Token",
    "Wanted",
    "draft",
    "reads_as",
    "recognise",
    "setting",
    "visit",
]
