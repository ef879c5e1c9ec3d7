"""What every test shares: property tests have no deadline, for a busy machine is not a bug."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
