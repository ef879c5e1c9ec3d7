"""Actuators: what a pause can do on a chain itself. So far each only says whether it could; nothing is signed or sent here."""
